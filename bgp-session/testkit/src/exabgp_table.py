"""What ExaBGP says of its neighbor, made into a table: a file with a line for each prefix and its next hop."""
import json
import os
import sys

path = sys.argv[1]
table = {}


def save():
    with open(path + ".new", "w") as file:
        file.writelines(f"{prefix} via {next_hop}\n" for prefix, next_hop in table.items())
    # Whoever reads the file sees all of it.
    os.rename(path + ".new", path)


def apply(message):
    neighbor = message["neighbor"]
    if message["type"] == "state" and neighbor["state"] != "up":
        table.clear()
    update = neighbor.get("message", {}).get("update", {})
    for next_hops in update.get("announce", {}).values():
        for next_hop, routes in next_hops.items():
            for route in routes:
                if "nlri" in route:
                    table[route["nlri"]] = next_hop
    for routes in update.get("withdraw", {}).values():
        for route in routes:
            table.pop(route["nlri"], None)


save()
for line in sys.stdin:
    message = json.loads(line)
    if "neighbor" in message:
        apply(message)
        save()
