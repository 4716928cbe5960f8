# unherd: one library, one tool, one example server, and their tests.
# V=1 shows the commands; SANITIZE=1 builds with ASan and UBSan into build/asan.

CC ?= gcc
PREFIX ?= /usr/local
DESTDIR ?=
V ?= 0
SANITIZE ?= 0

ifeq ($(SANITIZE),1)
BUILD := build/asan
CHECKING := -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
else
BUILD := build
CHECKING := -D_FORTIFY_SOURCE=2 -fstack-protector-strong
endif

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
CFLAGS ?= -O2 -g
ifneq ($(CI),)
WARNINGS += -Werror
endif
ALL_CFLAGS := -std=gnu17 -D_GNU_SOURCE $(CFLAGS) $(WARNINGS) $(CHECKING) -MMD -MP
SHIM_CFLAGS := -fPIC -fvisibility=hidden -ftls-model=initial-exec -fno-builtin-fork -fno-plt
SHIM_LDFLAGS := -shared -Wl,-soname,libunherd.so -Wl,-z,relro,-z,now,-z,noexecstack,-z,nodelete \
	-Wl,--no-undefined -Wl,--version-script=$(BUILD)/exports.map
# The library is compiled as one: what a connection passes lies on half as many cache lines. Its
# objects are ordinary ones too, for all else that is linked with them.
AS_ONE := -flto=auto -ffat-lto-objects
ifneq ($(SANITIZE),1)
ifeq ($(shell $(CC) -Werror $(AS_ONE) -shared -x c -o /dev/null /dev/null 2>&1),)
SHIM_CFLAGS += $(AS_ONE)
SHIM_LDFLAGS += $(AS_ONE) $(CFLAGS)
endif
endif
EXE_LDFLAGS := -pie -Wl,-z,relro,-z,now,-z,noexecstack

ENTRY_SOURCES := $(wildcard shim/hook_*.c) shim/start.c
CORE_SOURCES := $(filter-out $(ENTRY_SOURCES),$(wildcard shim/*.c))
TOOL_SOURCES := $(wildcard tools/unherd/*.c)
LOAD_SOURCES := $(wildcard tools/load/*.c)
COST_SOURCES := $(wildcard tools/cost/*.c)
SIM_SOURCES := $(wildcard tools/sim/*.c)
COMMON_SOURCES := $(wildcard tools/common/*.c)
UNIT_SOURCES := $(wildcard tests/unit/test_*.c)
HELPER_SOURCES := $(wildcard tests/programs/*.c tests/fuzz/*.[ch])

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
ENTRY_OBJECTS := $(call objects,$(ENTRY_SOURCES))
CORE_OBJECTS := $(call objects,$(CORE_SOURCES))
COST_OBJECTS := $(call objects,$(COST_SOURCES))
LOAD_OBJECTS := $(call objects,$(LOAD_SOURCES) $(COMMON_SOURCES))
SIM_OBJECTS := $(call objects,$(SIM_SOURCES) $(COMMON_SOURCES))
# unherd bench is loaded by the generator's parts, without its command line.
LOADING_SOURCES := $(filter-out %/main.c %/plan.c %/report.c,$(LOAD_SOURCES)) $(filter-out %/argument.c,$(COMMON_SOURCES))
TOOL_OBJECTS := $(call objects,$(TOOL_SOURCES) $(LOADING_SOURCES))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(UNIT_SOURCES))
THREADED := handed leavers own
HELPERS := $(patsubst tests/programs/%.c,$(BUILD)/programs/%,$(HELPER_SOURCES))

ifeq ($(V),0)
say = @printf '  %-8s %s\n' $(1) $(2);
else
say =
endif

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help demo check table verdicts picture losses sim sim-measure bench conformance model fuzz soak schedules unit asan tsan cost lint format install uninstall clean packages-build packages-check packages-verdicts packages-lint packages-conformance packages-model packages-fuzz faults musl arm64 packages-musl packages-arm64 packages-bench FORCE

all: $(BUILD)/libunherd.so $(BUILD)/unherd $(BUILD)/prefork $(BUILD)/waiters $(BUILD)/load $(BUILD)/sim $(BUILD)/cost $(BUILD)/unherd.7 ## build the library, the tool, the example and the load generator

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\n  Variables: V=1, CC=clang, SANITIZE=1, DESTDIR=, PREFIX=%s\n' '$(PREFIX)'

demo: packages-build ## install what is missing, build, show the main job on the bundled server
	@$(MAKE) --no-print-directory all
	@tools/demo.sh $(BUILD)

check: packages-check ## install what the tests need, build, run all tests
	@$(MAKE) --no-print-directory -j$$(nproc) all tests
	@$(MAKE) --no-print-directory -j$$(nproc) BUILD=build/clang CC=clang CI=1 all tests
	@tests/run.sh build/clang clang
	@tests/run.sh $(BUILD)

table: packages-check ## make the README's table of servers anew
	@$(MAKE) --no-print-directory all
	@tests/table.sh $(BUILD) README.md

verdicts: packages-verdicts ## make the README's table of what unherd check says of servers
	@$(MAKE) --no-print-directory all
	@tests/verdicts.sh $(BUILD) README.md

picture: packages-check ## make the README's picture of unherd top anew
	@$(MAKE) --no-print-directory all
	@tests/picture.sh $(BUILD) README.md

losses: packages-check ## make the README's table of what is lost when workers come and go
	@$(MAKE) --no-print-directory all
	@tests/losses.sh $(BUILD) README.md

conformance: packages-conformance ## other people's tests, with and without the library (half an hour)
	@$(MAKE) --no-print-directory all
	@tests/conformance.py $(BUILD) README.md

model: packages-model ## spin on the model of the claims, and on mutations of it, which must fail
	@tests/model/run.sh

sim: packages-bench ## simulations of the queues: the tables and plots of tools/sim/README.md
	@$(MAKE) --no-print-directory $(BUILD)/sim
	@tools/sim/report.sh $(BUILD) tools/sim/README.md

sim-measure: packages-check ## the simulation beside this machine's kernel, and what thieves cost (15 minutes)
	@$(MAKE) --no-print-directory all
	@tools/sim/measure.sh $(BUILD) tools/sim/README.md

EXPERIMENTS ?=
bench: packages-check packages-bench ## the experiments of the field: tools/bench/README.md (50 minutes), EXPERIMENTS="spread busy"
	@$(MAKE) --no-print-directory all
	@tools/bench/bench.sh $(BUILD) tools/bench/README.md $(EXPERIMENTS)

FUZZ_SECONDS ?= 60
FUZZ ?= calls reuseport config carry shared
FUZZ_CHECKING := -fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
fuzz: packages-fuzz ## random calls, variables and shared memory: FUZZ="calls config", FUZZ_SECONDS=60 for each
	@$(MAKE) --no-print-directory BUILD=build/fuzz CC=clang CHECKING='$(FUZZ_CHECKING)' $(addprefix build/fuzz/,$(sort $(FUZZ:reuseport=calls)))
	@tests/fuzz/run.sh build/fuzz $(FUZZ_SECONDS) $(FUZZ)

SECONDS ?= 600
soak: packages-check ## nginx and gunicorn with reloads and kills, SECONDS=600 each: nothing grows
	@$(MAKE) --no-print-directory all
	@tests/soak.sh $(BUILD) $(SECONDS)

SCHEDULES ?= 1000
FIRST ?= 1
schedules: packages-check ## random schedules of workers in every mode, SCHEDULES=1000 from seed FIRST=1 on
	@$(MAKE) --no-print-directory all tests
	@SCHEDULES=$(SCHEDULES) FIRST=$(FIRST) TESTED_BUILD=$(abspath $(BUILD)) bats --timing tests/shim/schedules.bats

unit: packages-check ## the unit tests alone
	@$(MAKE) --no-print-directory tests
	@tests/run.sh $(BUILD) unit

faults: packages-check ## every call of the library's own made to fail in turn
	@$(MAKE) --no-print-directory all tests
	@tests/faults.py $(BUILD)

asan: packages-check ## unit tests and the bundled server's tests under ASan and UBSan
	@$(MAKE) --no-print-directory SANITIZE=1 all tests
	@tests/run.sh build/asan asan

# musl's own directory of headers has none of the kernel's.
musl: packages-musl ## the library and the tests' programs built with musl, and their tests
	@mkdir -p build/musl/include
	@ln -sfn /usr/include/linux /usr/include/asm-generic /usr/include/$$(gcc -print-multiarch)/asm build/musl/include
	@$(MAKE) --no-print-directory BUILD=build/musl CC='musl-gcc -idirafter build/musl/include' WARNINGS='-Wall -Wextra' \
		build/musl/libunherd.so $(HELPER_SOURCES:tests/programs/%.c=build/musl/programs/%)
	@tests/run.sh build/musl musl

# Everything for arm64 stays below build/arm64; the system's own list of packages is not touched.
ARM64_ROOT := build/arm64/root/usr
arm64: packages-arm64 ## everything cross-built for arm64, and what of the unit tests qemu can run
	@tools/arm64_cmocka.sh build/arm64/root
	@$(MAKE) --no-print-directory BUILD=build/arm64 library-tests \
		CC='aarch64-linux-gnu-gcc -I$(ARM64_ROOT)/include -L$(ARM64_ROOT)/lib/aarch64-linux-gnu'
	@tests/run.sh build/arm64 arm64

tsan: packages-check ## the threaded programs under TSan
	@$(MAKE) --no-print-directory BUILD=build/tsan $(patsubst %,build/tsan/threaded/%,$(THREADED))
	@tests/run.sh build/tsan tsan

lint: packages-lint ## clang-tidy, cppcheck, shellcheck, clang-format, in that order
	@tools/lint.sh

format: ## lay the C sources out with clang-format
	clang-format -i $(wildcard shim/*.[ch] tools/*/*.[ch] examples/*.c tests/unit/*.[ch] tests/programs/*.c tests/programs/*/*.[ch] tests/fuzz/*.[ch])

cost: $(BUILD)/cost $(BUILD)/libunherd.so ## what a call on a descriptor that is not ours costs more, and the statistics
	@LD_PRELOAD=$(abspath $(BUILD)/libunherd.so) $(BUILD)/cost

install: all ## install under $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib $(DESTDIR)$(PREFIX)/share/doc/unherd
	install -m 755 $(BUILD)/unherd $(DESTDIR)$(PREFIX)/bin/unherd
	install -m 644 $(BUILD)/libunherd.so $(DESTDIR)$(PREFIX)/lib/libunherd.so
	install -m 644 README.md LICENSE $(DESTDIR)$(PREFIX)/share/doc/unherd/
	install -D -m 644 tools/manual/unherd.1 $(DESTDIR)$(PREFIX)/share/man/man1/unherd.1
	install -D -m 644 $(BUILD)/unherd.7 $(DESTDIR)$(PREFIX)/share/man/man7/unherd.7
	install -D -m 644 tools/manual/unherd.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/unherd

uninstall: ## remove what install laid down
	rm -f $(DESTDIR)$(PREFIX)/bin/unherd $(DESTDIR)$(PREFIX)/lib/libunherd.so
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/unherd
	rm -f $(DESTDIR)$(PREFIX)/share/man/man1/unherd.1 $(DESTDIR)$(PREFIX)/share/man/man7/unherd.7
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/unherd

clean: ## remove build/
	rm -rf build

packages-build:
	@tools/packages.sh build

packages-check:
	@tools/packages.sh build check

packages-verdicts:
	@tools/packages.sh build check verdicts

packages-conformance:
	@tools/packages.sh build conformance

packages-model:
	@tools/packages.sh build model
packages-musl:
	@tools/packages.sh build check musl

packages-arm64:
	@tools/packages.sh build arm64

packages-bench:
	@tools/packages.sh build bench

packages-fuzz:
	@tools/packages.sh build fuzz

packages-lint:
	@tools/packages.sh build lint

# The library is linked into the program, as TSan has to come first. It calls setrlimit, our hook, before it is ready for
# instrumented code, so that family stays out.
$(BUILD)/threaded/%: tests/programs/%.c tests/programs/lab.h tests/programs/signals.h $(filter-out shim/hook_limit.c,$(wildcard shim/*.c)) $(wildcard shim/*.h) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,TSAN,$@)$(CC) -std=gnu17 -D_GNU_SOURCE -g -O1 -fsanitize=thread -Ishim -o $@ $(filter %.c,$^) -ldl

# The sanitizers call setrlimit before they are ready for instrumented code, as above.
FUZZED := $(call objects,$(filter-out shim/hook_limit.c shim/start.c,$(wildcard shim/*.c)))
$(BUILD)/shared: $(BUILD)/obj/tests/fuzz/scribble.o
$(addprefix $(BUILD)/,calls config carry shared): $(BUILD)/%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(FUZZED)
	$(call say,LINK,$@)$(CC) -fsanitize=fuzzer $(CHECKING) -o $@ $^ -ldl -pthread

.PHONY: tests library-tests
tests: all $(UNIT_TESTS) $(HELPERS)

# Without the tool, whose libraries are not there for every machine.
library-tests: $(BUILD)/libunherd.so $(UNIT_TESTS) $(HELPERS)

# The stamp changes when the compiler or a flag does, and everything is built anew then.
$(BUILD)/flags: FORCE
	@mkdir -p $(BUILD)
	@printf '%s\n' '$(CC) $(ALL_CFLAGS) $(SHIM_CFLAGS) $(SHIM_LDFLAGS) $(EXE_LDFLAGS)' | cmp -s - $@ || \
		printf '%s\n' '$(CC) $(ALL_CFLAGS) $(SHIM_CFLAGS) $(SHIM_LDFLAGS) $(EXE_LDFLAGS)' > $@

$(BUILD)/obj/shim/%.o: shim/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CFLAGS) $(SHIM_CFLAGS) -c -o $@ $<

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CFLAGS) -fPIE -Ishim -c -o $@ $<

# The exported symbols are the rows of the table of calls, and nothing else.
$(BUILD)/exports.map: shim/calls.h $(BUILD)/flags
	$(call say,MAP,$@)( echo '{ global:'; \
		printf '#include "shim/calls.h"\n#define CALL(result, name, parameters, arguments) @@name;\n#define NIL(name, parameters, arguments) @@name;\n#define VAR(result, name, selector) @@name;\nUNHERD_CALLS(CALL, NIL, VAR)\n' | \
		$(CC) -E -P -I. - | tr ' ' '\n' | sed -n 's/^@@\(.*;\)$$/  \1/p'; \
		echo 'local: *; };' ) > $@

$(BUILD)/core.a: $(CORE_OBJECTS)
	$(call say,AR,$@)rm -f $@; ar rcs $@ $^

$(BUILD)/libunherd.so: $(ENTRY_OBJECTS) $(CORE_OBJECTS) $(BUILD)/exports.map
	$(call say,LINK,$@)$(CC) $(CHECKING) $(SHIM_LDFLAGS) -o $@ $(ENTRY_OBJECTS) $(CORE_OBJECTS) -ldl

$(BUILD)/unherd: $(TOOL_OBJECTS) $(BUILD)/core.a
	$(call say,LINK,$@)$(CC) $(CHECKING) $(EXE_LDFLAGS) -o $@ $^ -ldl -lelf -ljansson -lncursesw -ltinfo -lm

$(BUILD)/load: $(LOAD_OBJECTS)
	$(call say,LINK,$@)$(CC) $(CHECKING) $(EXE_LDFLAGS) -o $@ $^ -lm

$(BUILD)/sim: $(SIM_OBJECTS)
	$(call say,LINK,$@)$(CC) $(CHECKING) $(EXE_LDFLAGS) -o $@ $^ -lm

$(BUILD)/cost: $(COST_OBJECTS) $(BUILD)/core.a
	$(call say,LINK,$@)$(CC) $(CHECKING) $(EXE_LDFLAGS) -o $@ $^ -ldl -pthread

$(BUILD)/variables: $(BUILD)/obj/tools/manual/variables.o $(BUILD)/core.a
	$(call say,LINK,$@)$(CC) $(CHECKING) $(EXE_LDFLAGS) -o $@ $^ -ldl

$(BUILD)/unherd.7: $(BUILD)/variables tools/unherd/version.h
	$(call say,MANUAL,$@)$< "$$(sed -n 's/.*VERSION "\(.*\)"/\1/p' tools/unherd/version.h)" > $@

$(BUILD)/prefork: $(BUILD)/obj/examples/prefork.o
	$(call say,LINK,$@)$(CC) $(CHECKING) $(EXE_LDFLAGS) -o $@ $^

$(BUILD)/tests/test_spread: $(call objects,tools/unherd/bench_spread.c)
$(BUILD)/tests/test_framing: $(call objects,tools/load/framing.c tools/load/answer.c)

$(BUILD)/waiters: $(BUILD)/obj/tools/bench/waiters.o
	$(call say,LINK,$@)$(CC) $(CHECKING) $(EXE_LDFLAGS) -o $@ $^

$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/core.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CHECKING) $(EXE_LDFLAGS) -o $@ $^ -lcmocka -ldl -lm

$(BUILD)/programs/schedule: $(call objects,$(wildcard tests/programs/schedule/*.c))
$(BUILD)/programs/%: $(BUILD)/obj/tests/programs/%.o
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CHECKING) $(EXE_LDFLAGS) -o $@ $^ -pthread

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
