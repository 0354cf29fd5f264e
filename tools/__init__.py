"""Programs for developers and operators of PayNexus; none of them is deployed."""
