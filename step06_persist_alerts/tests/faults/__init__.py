"""The fault harness: real servers, clients that talk, one fault after the other, and a judge.

From the folder of the step: `../.venv/bin/python -m tests.faults --minutes 30 --seed 7`.
"""
