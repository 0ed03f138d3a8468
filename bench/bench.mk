# The benchmarks, read by the Makefile. "make -C bench" lists them.

.PHONY: bench-load
bench-load: $(PROGRAM) $(call setup,bench load) ## Requests a second, latency and CPU time under load; ARGS="D"
	$(Q)PPM_SERVER=$(PROGRAM) bench/load $(ARGS)

# ONNX Runtime's own install script would only fetch GPU libraries, so no script runs.
PEERS := $(call setup,bench peers $(NPM))
ORT   := build/npm/onnxruntime-node@1.30.0
.PHONY: bench-peers
bench-peers: $(PROGRAM) $(BENCHES)/peer_onednn $(PEERS) $(ORT)/package.json ## PyTorch, ONNX Runtime and oneDNN on the same cases and networks
	$(Q)PPM_SERVER=$(PROGRAM) PPM_ONNXRUNTIME=$(ORT) PPM_PEER_ONEDNN=$(BENCHES)/peer_onednn bench/peers $(ARGS)

CLIENT := $(BENCHES)/client
.PHONY: bench-serving
bench-serving: $(PROGRAM) $(CLIENT) $(BENCHES)/echo $(call setup,bench) ## What serving adds to computing, and to a bare libmicrohttpd
	$(Q)PPM_SERVER=$(PROGRAM) PPM_CLIENT=$(CLIENT) PPM_ECHO=$(BENCHES)/echo bench/serving $(ARGS)

.PHONY: bench-forms
bench-forms: $(PROGRAM) $(CLIENT) $(call setup,bench) ## JSON, npy, raw, halves, v2 and shared memory
	$(Q)PPM_SERVER=$(PROGRAM) PPM_CLIENT=$(CLIENT) bench/forms $(ARGS)

SHARP := build/npm/sharp@0.33.5
.PHONY: bench-servers
bench-servers: $(PROGRAM) $(CLIENT) $(PEERS) $(call setup,servers) $(ORT)/package.json $(SHARP)/package.json ## PyTorch served by aiohttp, ONNX Runtime served by Node
	$(Q)PPM_SERVER=$(PROGRAM) PPM_CLIENT=$(CLIENT) PPM_ONNXRUNTIME=$(ORT) PPM_SHARP=$(SHARP) bench/servers $(ARGS)

.PHONY: bench-upload
bench-upload: $(PROGRAM) $(BENCHES)/paced $(call setup,bench) ## From a body's last byte to the answer's first
	$(Q)PPM_SERVER=$(PROGRAM) PPM_PACED=$(BENCHES)/paced bench/upload $(ARGS)

.PHONY: bench-json
bench-json: $(BENCHES)/json ## What a JSON number costs to read and write, next to jansson
	$(Q)$(BENCHES)/json $(ARGS)

$(BENCHES)/%: $(OBJ)/bench/%.o $(OBJ)/FLAGS
	$(call say,LD,$@)
	$(Q)$(CC) $(CODEGEN) $(HARDEN_LD) $(CFLAGS) -o $@ $< $(LDFLAGS) $(LIBS_$(@F))

LIBS_peer_onednn := -ldnnl
LIBS_echo         = $(PKG_LIBS)
$(OBJ)/bench/peer_onednn.o: | $(PEERS)
-include $(wildcard $(OBJ)/bench/*.d)

.PHONY: bench-hardening
bench-hardening: $(call setup,build bench) ## What the hardening flags cost
	$(Q)$(MAKE) program OBJ=build/hardened PROGRAM=build/hardened/ppm-server
	$(Q)$(MAKE) program OBJ=build/unhardened PROGRAM=build/unhardened/ppm-server HARDEN=-fno-pie HARDEN_LD=-no-pie
	$(Q)bench/hardening $(ARGS)

.PHONY: bench-cluster
bench-cluster: $(PROGRAM) $(BENCHES)/client $(call setup,cluster bench) ## Requests a second through HAProxy, with 1, 2 and 3 servers
	$(Q)PPM_SERVER=$(PROGRAM) PPM_CLIENT=$(BENCHES)/client bench/cluster $(ARGS)
