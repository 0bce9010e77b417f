"""Render Jaseci services into git; reconcile a cluster and Jaseci with what git says."""

__version__ = "0.1.0"
