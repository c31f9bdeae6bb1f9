# SPDX-License-Identifier: GPL-3.0-or-later
"""The DSM Web API of the lab's NAS, with real effects on a Debian machine.

Its answers are based only on observed calls of DSM 7. Where observations conflict or are missing, it rejects the call
with a documented error and never guesses in the caller's favour.
"""
