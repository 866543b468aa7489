"""Accounts at cloud providers: one file each, on a shared HTTP client and a shared SOAP codec."""
