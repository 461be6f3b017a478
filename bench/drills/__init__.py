"""Crash drills: whole installations at full load, and what happens to their votes when a part dies, hangs or fills up.

site.py an installation · crowd.py people who vote and never give up · reckoning.py what is looked at afterwards · kills.py and
outages.py the drills · clocks.py those of time. `python -m bench.drill` runs them.
"""
