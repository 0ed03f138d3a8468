# Packing the program, and checking how it is shipped; read by the Makefile.

# ---- the image ---------------------------------------------------------------------------------

# ---- hardening ---------------------------------------------------------------------------------

# ---- many machines -----------------------------------------------------------------------------

.PHONY: test-cluster
test-cluster: $(PROGRAM) $(call setup,cluster) ## Three servers behind deploy/haproxy.cfg, of which some die and drain; ARGS=--full
	$(Q)PPM_SERVER=$(PROGRAM) tests/cluster/lost_machine.py
	$(Q)PPM_SERVER=$(PROGRAM) tests/cluster/replicas.py $(ARGS)

# ---- packages ----------------------------------------------------------------------------------
