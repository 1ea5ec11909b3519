# SPDX-License-Identifier: Apache-2.0
"""What ./rsp does: build, stage, test and measure the suite on one machine. Standard library only."""
