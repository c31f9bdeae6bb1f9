# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tars_provision` is `tars-provision`."""

from tars_provision.cli import main

main(prog_name="tars-provision")
