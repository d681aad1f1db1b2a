# Each command is one of the package `course`: python3 -m course COMMAND

PYTHON ?= python3
COMMANDS := help step manage test diff faults carry carry-continue carry-abort export bench lint

# `make step 3`: what follows the first word are its arguments, not more goals.
ifneq ($(filter $(firstword $(MAKECMDGOALS)),$(COMMANDS)),)
  ARGUMENTS := $(wordlist 2,$(words $(MAKECMDGOALS)),$(MAKECMDGOALS))
endif
NOT_GOALS := $(filter-out $(COMMANDS),$(ARGUMENTS))

# `make step N=3`, for scripts.
ifeq ($(origin N),command line)
  ARGUMENTS += $(N)
endif

# Some shells export their machine's name as HOST.
ifeq ($(origin HOST),environment)
  unexport HOST
endif

.PHONY: $(COMMANDS) $(NOT_GOALS)

help:
	@$(PYTHON) -m course $(ARGUMENTS)

$(filter-out help,$(COMMANDS)):
	@$(PYTHON) -m course $@ $(ARGUMENTS)

ifneq ($(NOT_GOALS),)
$(NOT_GOALS):
	@:
endif
