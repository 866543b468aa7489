"""What the standards say. Every other profile is a difference from this one."""

from drivers.modems.profile import Profile

PROFILE = Profile(name="generic")
