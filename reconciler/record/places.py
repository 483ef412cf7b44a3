"""Which record of the ledger belongs to which place. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from reconciler.model.host import Host, Place
from reconciler.model.observed import Seen
from reconciler.record.records import HostRecord


def key_of(hosts: Mapping[str, HostRecord], host: Host) -> str:
    """The key of a host's record: its name; a place that no document names keeps clear of its namesake."""
    if not host.former:
        return host.name
    for key, record in sorted(hosts.items(), key=lambda item: item[0]):
        if record.memory.place.door == host.place.door and record.memory.place.host == host.name:
            return key
    return host.name if host.name not in hosts else spare_key(hosts, host.place)


def spare_key(hosts: Mapping[str, HostRecord], place: Place) -> str:
    """A free key for a place whose Host name now means another one: `h1@10.0.0.7`."""
    key, number = f"{place.host}@{place.address}", 1
    while key in hosts and hosts[key].memory.place.door != place.door:
        number += 1
        key = f"{place.host}@{place.address}#{number}"
    return key


def address_of(key: str) -> tuple[str, str]:
    """Host name and address in a key of `spare_key`; no address in a plain one."""
    name, _, address = key.partition("@")
    front, mark, number = address.rpartition("#")
    return name, front if mark and number.isdigit() else address


def place_of(host: Host, seen: Seen, known: Place) -> Place:
    """The place that a report is of. A workspace that goes by another Host's name is not this host's until taken."""
    if seen.host_name in ("", host.name):
        return replace(host.place, workspace_id=seen.workspace_id)
    return known if known.door == host.place.door else host.place
