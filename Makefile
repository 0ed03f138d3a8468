# ppm-server. "make help" lists the targets; V=1 shows the commands. bench/bench.mk has the benchmarks,
# deploy/deploy.mk the targets that pack, install and check what is shipped.
#
# A build writes to build/ only: the release program to build/ppm-server, its objects to build/release/,
# and every other variant (make VARIANT=debug|asan|tsan|fuzz|arm64) to its own folder.
# CFLAGS, CXXFLAGS, CPPFLAGS and LDFLAGS are the user's and come after the project's flags.

MAKEFLAGS += --no-builtin-rules --no-print-directory
ifeq ($(MAKELEVEL),0)
ifeq ($(filter -j% --jobs%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif
endif
.DELETE_ON_ERROR:
.SECONDARY:

VARIANT ?= release
PREFIX  ?= /usr/local
VERSION := $(shell cat VERSION)
WERROR  ?= $(CI)
Q       := $(if $(filter 1,$(V)),,@)
say      = $(if $(Q),@printf '  %-4s %s\n' $(1) $(2))

.PHONY: all
all: program ## Build build/ppm-server (the default)

# ---- variants ----------------------------------------------------------------------------------

OBJ     := build/$(VARIANT)
PROGRAM := $(OBJ)/ppm-server
TESTS   := $(OBJ)/ppm-tests
TEST    := tools/test.sh
GROUPS  := build
COMPILE := gcc g++

ifneq ($(filter release arm64,$(VARIANT)),)
OPTIMIZE   := -O3
HARDEN      = -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
              -fstack-clash-protection $(CLEAR_LOCALS) -fPIE $(BRANCHES)
HARDEN_LD  := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
# Signed return addresses. The x86 equivalent has no effect until the C library is built with it too.
BRANCHES    = $(call built_for,aarch64,-mbranch-protection=standard)
endif

ifeq ($(VARIANT),release)
PROGRAM    := build/ppm-server
else ifeq ($(VARIANT),arm64)
COMPILE    := aarch64-linux-gnu-gcc aarch64-linux-gnu-g++
ARM64_ROOT := build/arm64-root
TEST       := QEMU_LD_PREFIX=$(ARM64_ROOT) tools/test-arm64.sh
SYSROOT    := --sysroot=$(ARM64_ROOT)
PKG_CONFIG := PKG_CONFIG_SYSROOT_DIR=$(ARM64_ROOT) \
              PKG_CONFIG_LIBDIR=$(ARM64_ROOT)/usr/lib/aarch64-linux-gnu/pkgconfig pkg-config
GROUPS     += arm64 arm64-root
else ifeq ($(VARIANT),debug)
OPTIMIZE   := -Og
else ifeq ($(VARIANT),lint)
OPTIMIZE   := -O2
WERROR     := 1
else ifeq ($(VARIANT),asan)
OPTIMIZE   := -O1 -fno-omit-frame-pointer
SANITIZE   := -fsanitize=address,undefined -fno-sanitize-recover=all
else ifeq ($(VARIANT),tsan)
OPTIMIZE   := -O1 -fno-omit-frame-pointer
SANITIZE   := -fsanitize=thread
HARDEN     := -fno-pie
HARDEN_LD  := -no-pie
COMPILE    := clang-14 clang++-14
GROUPS     += tsan
else ifeq ($(VARIANT),fuzz)
OPTIMIZE   := -O1 -fno-omit-frame-pointer
SANITIZE   := -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
COMPILE    := clang-14 clang++-14
GROUPS     += tsan
# Kernels read no untrusted bytes, and clang takes minutes to instrument them.
CFLAGS_simd := -fno-sanitize=all
else
$(error VARIANT=$(VARIANT): not one of release, debug, asan, tsan, fuzz, arm64)
endif

ifeq ($(origin CC),default)
CC  := $(firstword $(COMPILE))
endif
ifeq ($(origin CXX),default)
CXX := $(lastword $(COMPILE))
endif

# make CC=clang CXX=clang++ links clang's OpenMP. Before version 16 clang does not accept "zero" here.
ifeq ($(filter clang%,$(notdir $(CC))),)
CLEAR_LOCALS := -ftrivial-auto-var-init=zero
else
GROUPS       += $(if $(filter tsan,$(GROUPS)),,clang)
endif

# ---- flags -------------------------------------------------------------------------------------

# Evaluated on first use, in a recipe: on a new machine pkg-config is missing until setup has run.
PACKAGES   := libmicrohttpd jansson gnutls nettle libpng libjpeg libexif zlib
PKG_CONFIG ?= pkg-config
PKG_CFLAGS  = $(eval PKG_CFLAGS := $$(shell $(PKG_CONFIG) --cflags $(PACKAGES)))$(PKG_CFLAGS)
PKG_LIBS    = $(eval PKG_LIBS := $$(shell $(PKG_CONFIG) --libs $(PACKAGES)))$(PKG_LIBS)

WARN       := -Wall -Wextra -Wpedantic -Wshadow -Wconversion
ifneq ($(filter-out 0 no false,$(WERROR)),)
WARN       += -Werror
endif
CODEGEN     = $(OPTIMIZE) -g -fopenmp $(SYSROOT) $(SANITIZE) $(HARDEN)
PPM_CPP     = -I. -D_GNU_SOURCE -DPPM_VERSION=\"$(VERSION)\" $(PKG_CFLAGS)
PPM_C       = -std=c11 $(CODEGEN) $(WARN)
PPM_CXX     = -std=c++17 -fno-exceptions -fno-rtti $(CODEGEN) $(WARN)
LINK        = $(CXX) $(CODEGEN) $(HARDEN_LD) $(CXXFLAGS)
LIBS        = $(LDFLAGS) $(PKG_LIBS) -lsleef -lm

# libppm stays in memory after a dlclose: OpenMP's threads and jansson's allocator point into it.
SONAME      := libppm.so.0
LINK_LIB     = $(CC) $(CODEGEN) $(filter-out -pie -no-pie,$(HARDEN_LD)) -shared -Wl,-soname,$(SONAME) \
               -Wl,-z,defs -Wl,-z,nodelete -Wl,-Bsymbolic-functions $(CFLAGS)
LIBS_LIB     = $(LDFLAGS) $(shell $(PKG_CONFIG) --libs jansson) -lsleef -lm

# Flags for one file: "CFLAGS_simd/avx2 := -mavx2 -mfma" applies to simd/avx2.c only.
# Criterion's macros use GNU extensions and implicit conversions.
# NEON's tile uses every register: scheduling before register allocation would spill some.
# Local arrays in kernels are registers; zeroing them took two thirds of a transform's time.
KERNEL             = -ftrivial-auto-var-init=uninitialized
CFLAGS_simd/avx2   = $(call built_for,x86_64,-mavx2 -mfma -mf16c) $(KERNEL)
CFLAGS_simd/avx512 = $(call built_for,x86_64,-mavx512f -mfma -mprefer-vector-width=512) $(KERNEL)
CFLAGS_simd/avx512_bf16 = $(call built_for,x86_64,-mavx512f -mavx512bw -mavx512bf16 -mfma \
                          -mprefer-vector-width=512) $(KERNEL)
CFLAGS_simd/neon   = $(call built_for,aarch64,-fno-schedule-insns) $(KERNEL)
MACHINE            = $(eval MACHINE := $$(shell $$(CC) -dumpmachine))$(MACHINE)
built_for          = $(if $(filter $(1)-%,$(MACHINE)),$(2))
# What libppm is made of, for the program as well: core/ppm.h says what is visible in it.
CFLAGS_core  := -fPIC -fvisibility=hidden -fno-semantic-interposition
CFLAGS_simd  += $(CFLAGS_core)
CFLAGS_tests := -Wno-pedantic -Wno-conversion
CFLAGS_tests/heap := -O2 -fomit-frame-pointer
file_flags    = $(CFLAGS_$(firstword $(subst /, ,$<))) $(CFLAGS_$(basename $<))

# ---- files -------------------------------------------------------------------------------------

C_FILES   := $(wildcard simd/*.c $(foreach d,core server,$(d)/*.c $(d)/*/*.c $(d)/*/*/*.c))
CXX_FILES := $(wildcard server/*/*/*.cc)
HEADERS   := $(wildcard core/*.h core/*/*.h)
T_FILES   := $(filter-out tests/fuzz/%,$(wildcard tests/*.c tests/$(VARIANT)/*.c))
OBJECTS   := $(C_FILES:%.c=$(OBJ)/%.o) $(CXX_FILES:%.cc=$(OBJ)/%.o)
T_OBJECTS := $(T_FILES:%.c=$(OBJ)/%.o)
-include $(OBJECTS:.o=.d) $(T_OBJECTS:.o=.d)

# build/.setup-GROUP: the packages of that group in tools/packages.txt are installed.
# NO_SETUP=1: they, or their equivalents, are installed; do not run Debian's package tools.
setup  = $(if $(NO_SETUP),,$(addprefix build/.setup-,$(1)))
SETUP := $(call setup,$(GROUPS))

build/.setup-%: tools/packages.txt tools/install-packages.sh
	$(Q)mkdir -p $(@D)
	$(Q)tools/install-packages.sh $*
	$(Q)touch $@

build/.setup-arm64-root: tools/arm64-root.sh tools/packages.txt | build/.setup-arm64
	$(call say,GET,build/arm64-root)
	$(Q)tools/arm64-root.sh build/arm64-root
	$(Q)touch $@

# The flags and files of the last build, touched only when they change. Different flags recompile
# everything; different files relink, so that the program loses a removed file.
FLAGS = $(CC) $(CXX) $(PPM_CPP) $(CPPFLAGS) $(PPM_C) $(CFLAGS) $(PPM_CXX) $(CXXFLAGS) \
        $(HARDEN_LD) $(LIBS) $(LINK_LIB) $(foreach v,$(sort $(filter CFLAGS_%,$(.VARIABLES))),$(v)=$($(v)))
FILES = $(OBJECTS) $(T_OBJECTS)
$(OBJ)/FLAGS $(OBJ)/FILES: FORCE | $(SETUP)
	@mkdir -p $(@D)
	@echo '$($(@F))' | cmp -s - $@ || echo '$($(@F))' > $@

.PHONY: FORCE
FORCE:

$(T_OBJECTS): | $(call setup,test)

$(OBJ)/%.o: %.c $(OBJ)/FLAGS
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(PPM_CPP) $(CPPFLAGS) $(PPM_C) $(CFLAGS) $(file_flags) -MMD -MP -c -o $@ $<

# Dependencies that the compiler cannot see.
$(OBJ)/server/handlers/openapi.o: server/handlers/openapi.json
$(OBJ)/server/handlers/page.o: $(wildcard server/page/*) $(wildcard configs/samples/*) $(wildcard docs/*.md)

$(OBJ)/%.o: %.cc $(OBJ)/FLAGS
	@mkdir -p $(@D)
	$(call say,CXX,$<)
	$(Q)$(CXX) $(PPM_CPP) $(CPPFLAGS) $(PPM_CXX) $(CXXFLAGS) -MMD -MP -c -o $@ $<

$(PROGRAM): $(OBJECTS) $(OBJ)/FILES
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(LIBS)

$(TESTS): $(T_OBJECTS) $(filter-out $(OBJ)/server/main.o,$(OBJECTS)) $(OBJ)/FILES
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(LIBS) -lcriterion

.PHONY: program
program: $(PROGRAM)

# ---- the library -------------------------------------------------------------------------------

LIB         := $(dir $(PROGRAM))
LIBRARY     := $(LIB)$(SONAME)
LIB_OBJECTS := $(filter $(OBJ)/simd/% $(OBJ)/core/%,$(OBJECTS))

$(LIBRARY): $(LIB_OBJECTS) $(OBJ)/FILES
	$(call say,LD,$@)
	$(Q)$(LINK_LIB) -o $@ $(filter %.o,$^) $(LIBS_LIB)
	$(Q)ln -sf $(SONAME) $(LIB)libppm.so

$(LIB)ppm.h: deploy/public-header.sh $(filter core/%.h,$(HEADERS))
	$(Q)deploy/public-header.sh > $@

# ppm.pc for a library and a header in these folders.
pkg_config_file = sed -e 's|@PREFIX@|$(1)|; s|@LIBDIR@|$(2)|; s|@INCLUDEDIR@|$(3)|; s|@VERSION@|$(VERSION)|' deploy/ppm.pc.in

$(LIB)ppm.pc: deploy/ppm.pc.in VERSION Makefile
	$(Q)$(call pkg_config_file,$(abspath $(LIB)),$${prefix},$${prefix}) > $@

.PHONY: lib
lib: $(LIBRARY) $(LIB)ppm.h $(LIB)ppm.pc ## Build build/libppm.so, the core as a library, with ppm.h and ppm.pc

# ---- fuzzers and the example client ------------------------------------------------------------

FUZZERS := $(patsubst tests/fuzz/%.c,$(OBJ)/%,$(wildcard tests/fuzz/fuzz_*.c))
-include $(FUZZERS:$(OBJ)/%=$(OBJ)/tests/fuzz/%.d) $(OBJ)/tests/fuzz/fuzz.d

$(FUZZERS): $(OBJ)/%: $(OBJ)/tests/fuzz/%.o $(OBJ)/tests/fuzz/fuzz.o \
            $(filter-out $(OBJ)/server/main.o,$(OBJECTS)) $(OBJ)/FILES
	$(call say,LD,$@)
	$(Q)$(LINK) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(LIBS)

.PHONY: fuzzers
fuzzers: $(FUZZERS)

# The example client, which uses none of the server's code.
C_CLIENT := $(if $(filter release,$(VARIANT)),build,$(OBJ))/ppm_client
-include $(OBJ)/clients/ppm_client.d

$(C_CLIENT): $(OBJ)/clients/ppm_client.o $(OBJ)/FLAGS
	$(call say,LD,$@)
	$(Q)$(CC) $(CODEGEN) $(HARDEN_LD) $(CFLAGS) -o $@ $< $(LDFLAGS)

.PHONY: clients
clients: $(C_CLIENT) ## Build build/ppm_client, the example client in C

# ---- using it ----------------------------------------------------------------------------------

.PHONY: run
run: $(PROGRAM) ## Serve on 127.0.0.1:8080; ARGS="--port 9000"
	$(Q)exec $(PROGRAM) serve $(ARGS)

.PHONY: demo
demo: $(PROGRAM) $(call setup,demo) ## Start a server, post a sample with curl, show the answer
	$(Q)PPM_SERVER=$(PROGRAM) tools/demo.sh

.PHONY: example
example: $(PROGRAM) $(call setup,example) ## Label images with PSPNets, as PyTorch does; ARGS="--side 233" is faster
	$(Q)examples/photo.py --server $(PROGRAM)
	$(Q)examples/street.py --server $(PROGRAM)
	$(Q)examples/pspnet.py --server $(PROGRAM) $(ARGS)

BENCHES := $(OBJ)/bench
.PHONY: bench
bench: $(PROGRAM) $(BENCHES)/peak $(call setup,bench) ## Time each stage next to the FMA peak; ARGS="A --threads 1"
	$(Q)PPM_SERVER=$(PROGRAM) PPM_PEAK=$(BENCHES)/peak bench/run $(ARGS)

NPM := $(if $(shell command -v npm 2>&1),,npm)

# build/npm/NAME@VERSION/package.json: that npm package, installed without running its scripts.
build/npm/%/package.json: | $(call setup,$(NPM))
	$(call say,NPM,$*)
	$(Q)mkdir -p $(@D)
	$(Q)npm install --ignore-scripts --no-audit --no-fund --loglevel=error --prefix $(@D) $*

-include bench/bench.mk
include deploy/deploy.mk

# ---- checking it -------------------------------------------------------------------------------

.PHONY: test
test: $(PROGRAM) $(TESTS) $(C_CLIENT) $(call setup,test demo) ## Build and run all tests; ARGS="--filter 'npy/*'" for some
	$(Q)PPM_SERVER=$(PROGRAM) PPM_C_CLIENT=$(C_CLIENT) $(TEST) $(TESTS) $(ARGS)

# Programs with their own main() and the server's sources.
INSIDE := $(OBJ)/bench/json $(OBJ)/tests/verify/numbers
$(OBJ)/tests/verify/numbers: $(OBJ)/tests/number_checks.o
$(INSIDE): $(OBJ)/%: $(OBJ)/%.o $(filter-out $(OBJ)/server/main.o,$(OBJECTS)) $(OBJ)/FILES
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(LIBS)

.PHONY: verify-numbers
verify-numbers: $(OBJ)/tests/verify/numbers
	$(Q)$< $(ARGS)

.PHONY: test-asan
test-asan: ## The same under AddressSanitizer and UndefinedBehaviorSanitizer
	$(Q)$(MAKE) VARIANT=asan test

.PHONY: test-tsan
test-tsan: ## The same under ThreadSanitizer
	$(Q)$(MAKE) VARIANT=tsan test

.PHONY: test-drd
test-drd: $(PROGRAM) $(TESTS) $(C_CLIENT) $(call setup,drd) ## Live tests under valgrind's DRD
	$(Q)PPM_SERVER=$(PROGRAM) PPM_C_CLIENT=$(C_CLIENT) tools/test-drd.sh $(TESTS) $(ARGS)

PYTEST = PPM_SERVER=$(PROGRAM) /usr/bin/python3 -m pytest

.PHONY: test-reliability
test-reliability: $(PROGRAM) $(call setup,reliability) ## What docs/operating.md promises, under load and faults
	$(Q)$(PYTEST) -s tests/reliability --ignore tests/reliability/soak.py $(ARGS)

.PHONY: soak
soak: $(PROGRAM) $(call setup,reliability) ## An hour of mixed load, or SOAK_MINUTES of it
	$(Q)$(PYTEST) -s tests/reliability/soak.py

.PHONY: test-export
test-export: $(PROGRAM) $(call setup,export) ## tools/export.py compared with PyTorch; ARGS="-k NAME" for some
	$(Q)$(PYTEST) tests/export $(ARGS)

.PHONY: test-networks
test-networks: $(PROGRAM) $(call setup,networks) ## Whole networks compared with PyTorch; ARGS="-k pspnet50" for some
	$(Q)$(PYTEST) tests/networks tests/images $(ARGS)

REDOCLY := build/npm/@redocly/cli@1.34.5
.PHONY: test-openapi
test-openapi: $(REDOCLY)/package.json # /openapi.json by OpenAPI's schema and Redocly's rules
	$(Q)REDOCLY_TELEMETRY=off $(REDOCLY)/node_modules/.bin/redocly lint --config tests/openapi.yaml \
	    server/handlers/openapi.json

.PHONY: test-page
test-page: $(PROGRAM) $(call setup,page) ## The page of GET / in Chromium; ARGS="-k keyboard" for some
	$(Q)$(PYTEST) -v tests/page $(ARGS)

.PHONY: test-arm64
test-arm64: $(PROGRAM) ## The C tests of an arm64 build under qemu
	$(Q)PPM_NATIVE=$(PROGRAM) $(MAKE) VARIANT=arm64 test

.PHONY: check-release
check-release: ## What is too long for .ci/run; run it before a release
	$(Q)$(MAKE) soak
	$(Q)$(MAKE) fuzz FUZZ_SECONDS=600
	$(Q)$(MAKE) test-reliability ARGS=--full
	$(Q)$(MAKE) test-cluster ARGS=--full
	$(Q)$(MAKE) test-arm64
	$(Q)$(MAKE) verify-numbers
	$(Q)$(MAKE) example

.PHONY: fuzz
fuzz: ## Fuzz every reader for FUZZ_SECONDS (30); ARGS="npy json" for some
	$(Q)$(MAKE) VARIANT=fuzz fuzzers
	$(Q)tools/fuzz.sh build/fuzz $(ARGS)

.PHONY: lint
lint: $(call setup,build test lint) ## Warnings, format, clang-tidy, include rules, lengths, scripts
	$(Q)$(MAKE) VARIANT=lint program
	$(Q)FILE_FLAGS='$(foreach f,$(filter simd/%,$(patsubst CFLAGS_%,%,$(.VARIABLES))),$(f).c $(CFLAGS_$(f));)' \
	    CLANG_FLAGS='-std=c11 -fopenmp $(PPM_CPP)' tools/lint.sh

.PHONY: format
format: $(call setup,lint) ## Rewrite the sources with clang-format
	$(Q)tools/lint.sh format

.PHONY: setup
setup: $(call setup,build test demo lint) ## Install the Debian packages that build, tests and lint need

.PHONY: clean
clean: ## Remove build/
	$(Q)rm -rf build

.PHONY: help
help:
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile
	@echo '  make -C bench         List the other benchmarks'
	@echo '  make -C deploy        List what packs, installs and checks what is shipped'
