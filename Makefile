# Each command is one of the package `course`: python3 -m course COMMAND NUMBERS NAME=VALUE

PYTHON ?= python3
COMMANDS := help step start play check watch hint solve restore progress manage test diff faults docs docs-live tab notebooks carry carry-continue carry-abort export bench lint
# With one of these, Python wouldn't find its modules or the course.
unexport PYTHONHOME PYTHONSAFEPATH
HERE := $(dir $(lastword $(MAKEFILE_LIST)))

# What was typed, such as `step 3 PORT=8100`: the first word is the goal, the others do nothing.
GIVEN := $(foreach name,$(filter-out PYTHON MAKE%,$(.VARIABLES)),$(if $(filter command,$(origin $(name))),$(name)))
GOAL := $(firstword $(MAKECMDGOALS) help)
OTHERS := $(filter-out $(GOAL),$(sort $(COMMANDS) $(wordlist 2,$(words $(MAKECMDGOALS)),$(MAKECMDGOALS))))

.DEFAULT_GOAL := help
.PHONY: $(GOAL) $(OTHERS)

$(GOAL):
	@cd '$(HERE)' && exec $(PYTHON) -m course $(or $(MAKECMDGOALS),help) $(foreach name,$(GIVEN),$(name)="$$$(name)")

ifneq ($(OTHERS),)
$(OTHERS):
	@:
endif
