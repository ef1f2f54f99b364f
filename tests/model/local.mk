# SPDX-License-Identifier: MIT
#
# Model tests: random operations against a model, with audits.
