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
	$(Q)$(MAKE) install DESTDIR=build/hardening PREFIX=/usr >/dev/null
	$(Q)strip build/hardening/usr/bin/ppm-server
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
# A program for another machine is run by its emulator.
EMULATE := $(if $(filter arm64,$(VARIANT)),qemu-aarch64-static -L $(ARM64_ROOT))
MANUAL  := $(if $(filter release,$(VARIANT)),build,$(OBJ))/ppm-server.1

$(MANUAL): $(PROGRAM) deploy/manual.sh docs/ppm-server.1.in CHANGELOG.md VERSION
	$(call say,MAN,$@)
	$(Q)deploy/manual.sh $(EMULATE) $(PROGRAM) > $@

.PHONY: man
man: $(MANUAL) ## Build the manual page, build/ppm-server.1

.PHONY: check-man
check-man: $(PROGRAM) $(MANUAL) $(call setup,man) ## The manual page by man and mandoc, beside the program's --help
	$(Q)deploy/check-man.sh $(PROGRAM) $(MANUAL)
