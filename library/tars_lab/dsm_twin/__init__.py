# SPDX-License-Identifier: GPL-3.0-or-later
"""The DSM Web API of the lab's NAS, in front of real effects on a Debian machine.

What it answers comes from observed calls against DSM 7 alone. Where observations conflict or say nothing, it refuses
with a documented error instead of guessing in the caller's favour.
"""
