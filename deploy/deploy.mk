# Packing the program, and checking how it is shipped; read by the Makefile.

# ---- the image ---------------------------------------------------------------------------------

# ---- hardening ---------------------------------------------------------------------------------

# ---- many machines -----------------------------------------------------------------------------

.PHONY: test-cluster
test-cluster: $(PROGRAM) $(call setup,cluster) ## Three servers behind deploy/haproxy.cfg, of which some die and drain; ARGS=--full
	$(Q)PPM_SERVER=$(PROGRAM) tests/cluster/lost_machine.py
	$(Q)PPM_SERVER=$(PROGRAM) tests/cluster/replicas.py $(ARGS)

.PHONY: bench-cluster
bench-cluster: $(PROGRAM) $(BENCHES)/client $(call setup,cluster bench) ## Requests a second through HAProxy, by 1, 2 and 3 servers
	$(Q)PPM_SERVER=$(PROGRAM) PPM_CLIENT=$(BENCHES)/client bench/cluster $(ARGS)

# ---- packages ----------------------------------------------------------------------------------
