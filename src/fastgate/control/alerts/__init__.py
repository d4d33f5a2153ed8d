"""Alerts: from a budget's stage or an operator's trouble to a message that somebody has received.

notice: what is said. route: who is told. outbox: what is still to be sent, kept on disk. payload: what each service
wants to be sent. wire: one attempt to send. desk: the whole, as the control plane runs it. watch: what operators must
know.
"""
