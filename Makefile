# SPDX-License-Identifier: Apache-2.0
#
# make              build everything into build/
# make demo         watch it work (DEMO_SECONDS=20 to stop, EVENTS=file to replay)
# make check        build and run every test (SUITES="unit http" for some)
# make bench        benchmarks: JSON lines on stdout, text on stderr
# make lint         gcc and clang without a warning, cppcheck, clang-tidy, style
# make fuzz         every fuzz target for FUZZ_SECONDS
# make install      DESTDIR= PREFIX= LIBDIR= NGINX_MODULES=
# make deps         install the Debian and npm packages that are missing
# make clean
#
# All of them but install and clean start with the part of `make deps` that
# they need; DEPS=no leaves that out. Variants for the tests have a folder of
# their own: SAN=address (build/asan), thread (tsan), undefined (ubsan) and
# fuzz. V=1 shows the commands.

MAKEFLAGS += --no-builtin-rules

all: deps-build
	+$(Q)$(SUB) build

# --- what the user may set ---------------------------------------------------

ifeq ($(origin CC),default)
CC      := gcc
endif
CLANG   ?= clang
PYTHON  ?= /usr/bin/python3
JOBS    ?= $(shell nproc)
OPT     ?= -O2
WERROR  ?= -Werror
PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
NGINX_MODULES ?= $(LIBDIR)/nginx/modules
SUITES  ?=
FUZZ_SECONDS ?= 30
SAN     ?=

# --- flags -------------------------------------------------------------------

VERSION := $(shell sed -n 's/^.define INTENT_VERSION "\(.*\)"/\1/p' \
                   libagent/intent.h)
Q       := $(if $(V),,@)
say      = $(if $(V),,@printf '  %-4s %s\n' "$(1)" "$(2)")
# The flag, where the compiler knows it.
flag     = $(shell $(CC) -Werror $(1) -c -x c /dev/null -o /dev/null \
                   2>/dev/null && echo "$(1)")

WARN    := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes \
           -Wmissing-prototypes -Wformat=2
BASE    := -std=gnu11 $(OPT) -g -fPIC -MMD -MP

# The OpenSSF hardening guide's list, without -z nodlopen: nginx loads us so.
# Zeroed locals and FORTIFY hide findings from sanitizers, so not there.
HARDEN  := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
           -fno-delete-null-pointer-checks -fno-strict-overflow \
           -fno-strict-aliasing $(call flag,-fstack-clash-protection) \
           $(call flag,-fcf-protection=full) \
           $(call flag,-mbranch-protection=standard) \
           $(call flag,-ftrivial-auto-var-init=zero)
LINK    := -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed

SAN_address   := asan  -fsanitize=address,undefined
SAN_undefined := ubsan -fsanitize=undefined
SAN_thread    := tsan  -fsanitize=thread
SAN_fuzz      := fuzz  -fsanitize=fuzzer-no-link,address,undefined
ifeq ($(SAN),)
B       ?= build
EXTRA   := $(HARDEN)
else
B       := build/$(or $(firstword $(SAN_$(SAN))),$(error SAN=$(SAN): address, \
             thread, undefined or fuzz))
OPT     := -O1
EXTRA   := $(wordlist 2,9,$(SAN_$(SAN))) -fno-omit-frame-pointer \
           -fno-sanitize-recover=all
LINK    := $(wordlist 2,9,$(SAN_$(SAN)))
endif
COMPILE  = $(CC) $(BASE) $(WARN) $(WERROR) $(EXTRA) $(CPPFLAGS) $(CFLAGS)
LDLINK   = $(CC) $(LINK) $(LDFLAGS)
LIBS    := -ljansson -lmbedcrypto -lm -lpthread

# --- sources -----------------------------------------------------------------

# The library takes from the deliver room what needs neither curl nor files.
LIB     := $(wildcard $(addprefix libagent/,*.c base/*.c state/*.c signal/*.c \
             decide/*.c)) libagent/deliver/encode.c
DELIVER := $(filter-out $(LIB),$(wildcard libagent/deliver/*.c))
CTL     := $(wildcard libagent/cmd/intentctl.c libagent/cmd/ctl*.c)
DAEMON  := $(filter-out $(CTL),$(wildcard libagent/cmd/*.c))
TESTS   := $(wildcard tests/unit/test_*.c)
FUZZ    := $(wildcard tests/fuzz/fuzz_*.c)
BENCH   := $(wildcard bench/*.c)
MODULE  := $(wildcard ngx_module/*) libagent/intent.h

# obj/ is what ships; test/ is the same with crash points compiled in.
obj      = $(addprefix $(B)/obj/,$(1:.c=.o))
tobj     = $(addprefix $(B)/test/,$(1:.c=.o))
names    = $(addprefix $(B)/$(1)/,$(basename $(notdir $(2))))

# --- products ----------------------------------------------------------------

build: $(B)/libintent.a $(B)/libintent.so.1 $(B)/intentctl $(B)/intentd \
       $(B)/ngx_http_intent_module.so
tests: $(call names,unit,$(TESTS))
fuzzers: $(call names,targets,$(FUZZ))
benches: $(call names,bench,$(BENCH))

$(B)/libintent.a: $(call obj,$(LIB))
$(B)/libdeliver.a: $(call obj,$(DELIVER))
$(B)/test/libintent.a: $(call tobj,$(LIB))
$(B)/test/libdeliver.a: $(call tobj,$(DELIVER))
$(B)/intentctl: $(call obj,$(CTL)) $(B)/libintent.a
$(B)/intentd: $(call obj,$(DAEMON)) $(B)/libdeliver.a $(B)/libintent.a
$(B)/intentd: LIBS += -lcurl

%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/intentctl $(B)/intentd:
	$(call say,LINK,$@)
	$(Q)$(LDLINK) -pie -o $@ $^ $(LIBS)

$(B)/libintent.so.1: $(call obj,$(LIB)) libagent/libintent.map
	$(call say,LINK,$@)
	$(Q)$(LDLINK) -shared -Wl,-soname,libintent.so.1 \
	    -Wl,--version-script=libagent/libintent.map -Wl,-z,defs \
	    -o $@ $(filter %.o,$^) $(LIBS)
	$(Q)ln -sf libintent.so.1 $(B)/libintent.so

# By nginx's own build, against the nginx of this machine. SAN=address builds
# an nginx with it, since the sanitizer must be in the program.
$(B)/ngx_http_intent_module.so: $(MODULE) $(B)/libintent.a
	$(call say,NGX,$@)
	$(Q)env -u MAKEFLAGS INTENT_LIB=$(abspath $(B)/libintent.a) JOBS=$(JOBS) \
	    ngx_module/build.sh $(and $(SAN),--asan) $(B) >$(B)/module.log 2>&1 || \
	    { tail -n 40 $(B)/module.log >&2; exit 1; }

$(B)/obj/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(COMPILE) -fvisibility=hidden -c -o $@ $<

$(B)/test/%.o: %.c
	$(call say,CC,$< $(if $(SAN),($(SAN)),(test)))
	$(Q)mkdir -p $(@D) && $(COMPILE) -DINTENT_CRASH_POINTS -c -o $@ $<

# Tests see the library's hidden symbols by linking the archive. The hook of
# the crash points stands last, for tests that do not bring one.
HOOK    := $(B)/test/tests/unit/crash_hook.o

$(B)/unit/%: $(B)/test/tests/unit/%.o $(B)/test/libdeliver.a \
             $(B)/test/libintent.a $(HOOK)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(LDLINK) -o $@ $^ -lcurl $(LIBS)

$(B)/targets/%: $(B)/test/tests/fuzz/%.o $(B)/test/libdeliver.a \
                $(B)/test/libintent.a $(HOOK)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(LDLINK) -fsanitize=fuzzer -o $@ $^ -lcurl $(LIBS)

$(B)/bench/%: $(B)/obj/bench/%.o $(B)/libintent.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(LDLINK) -o $@ $^ $(LIBS)

# --- what the user runs ------------------------------------------------------

SUB      = $(MAKE) --no-print-directory $(if $(V),,-s) \
           $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))
export PYTHON
export BUILD := $(CURDIR)/build

deps: deps-all
deps-%:
	$(if $(filter no,$(DEPS)),,@packaging/deps.sh $*)

check: deps-check
	+$(Q)$(SUB) build tests
	+$(Q)$(SUB) SAN=address build tests
	+$(Q)$(SUB) SAN=thread tests
	+$(Q)$(SUB) SAN=fuzz CC=$(CLANG) fuzzers
	$(Q)tests/run.sh $(SUITES)

demo: deps-demo
	+$(Q)$(SUB) build
	$(Q)$(PYTHON) bench/demo/demo.py

bench: deps-bench
	+$(Q)$(SUB) build benches >&2
	$(Q)bench/run.sh

fuzz: deps-fuzz
	+$(Q)$(SUB) SAN=fuzz CC=$(CLANG) fuzzers
	$(Q)tests/fuzz.sh $(FUZZ_SECONDS)

SHIPPED := $(LIB) $(DELIVER) $(CTL) $(DAEMON)

# The module's includes are nginx's; its build leaves the generated ones.
NGX_SRC ?= /usr/share/nginx/src/src
NGX_INC := $(addprefix -I$(NGX_SRC)/,core event event/modules os/unix http \
             http/modules http/v2) -Ibuild/nginx-module

lint: deps-lint
	+$(Q)$(SUB) build
	+$(Q)$(SUB) B=build/lint/gcc CC=gcc objects
	+$(Q)$(SUB) B=build/lint/clang CC=$(CLANG) objects
	$(call say,LINT,ngx_module)
	$(Q)for cc in gcc $(CLANG); do $$cc -std=gnu11 -O2 -fsyntax-only -Wall \
	    -Wextra -Wshadow -Wno-unused-parameter -Werror $(NGX_INC) \
	    ngx_module/*.c || exit 1; done
	$(call say,LINT,cppcheck)
	$(Q)cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr \
	    --enable=warning,performance,portability -j$(JOBS) \
	    --suppress=missingIncludeSystem --suppress=legacyUninitvar $(SHIPPED)
	$(call say,LINT,clang-tidy)
	$(Q)printf '%s\n' $(SHIPPED) | \
	    xargs -P$(JOBS) -n4 sh -c 'clang-tidy --quiet \
	    --warnings-as-errors="*" "$$@" -- -std=gnu11 2>&1 | \
	    { ! grep -v "warnings* generated"; }' -
	$(Q)tests/style.sh
objects: $(call obj,$(SHIPPED) $(BENCH)) $(call tobj,$(TESTS) $(FUZZ))

install:
	$(Q)test -f build/libintent.so.1 || { echo "run make first" >&2; exit 1; }
	install -d $(addprefix $(DESTDIR),$(PREFIX)/bin $(PREFIX)/sbin \
	    $(PREFIX)/include $(LIBDIR)/pkgconfig $(NGINX_MODULES) \
	    $(PREFIX)/share/intent)
	install -m 755 build/intentctl $(DESTDIR)$(PREFIX)/bin/
	install -m 755 build/intentd $(DESTDIR)$(PREFIX)/sbin/
	install -m 644 libagent/intent.h $(DESTDIR)$(PREFIX)/include/
	install -m 644 build/libintent.so.1 build/libintent.a $(DESTDIR)$(LIBDIR)/
	ln -sf libintent.so.1 $(DESTDIR)$(LIBDIR)/libintent.so
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|' \
	    -e 's|@VERSION@|$(VERSION)|' packaging/intent.pc.in \
	    >$(DESTDIR)$(LIBDIR)/pkgconfig/intent.pc
	install -m 644 build/ngx_http_intent_module.so $(DESTDIR)$(NGINX_MODULES)/
	install -m 644 $(wildcard config/*) $(DESTDIR)$(PREFIX)/share/intent/

clean:
	rm -rf build

-include $(shell find $(B)/obj $(B)/test -name '*.d' 2>/dev/null)

.PHONY: all build tests fuzzers benches deps check demo bench fuzz lint \
        objects install clean
.SECONDARY:
.DELETE_ON_ERROR:
