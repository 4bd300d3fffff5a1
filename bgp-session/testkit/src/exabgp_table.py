"""Keeps a table of the routes that ExaBGP reports: a file with one line for each route, its next hop and its attributes."""
import json
import os
import sys

path = sys.argv[1]
table = {}


def save():
    """Writes the table to the file."""
    with open(path + ".new", "w") as file:
        file.writelines(f"{name} via {rest}\n" for name, rest in table.items())
    # A rename is atomic: a reader sees a complete table.
    os.rename(path + ".new", path)


def name(route):
    """Returns the text that identifies a route. It omits the label, which may differ in the withdrawal (RFC 8277 section 2.4)."""
    if "string" in route:
        return route["string"]
    if "nlri" in route:
        return f"{route['nlri']} rd {route['rd']}" if "rd" in route else route["nlri"]
    return json.dumps({key: value for key, value in route.items() if key not in ("label", "raw")})


def apply(message):
    """Applies a message of ExaBGP to the table."""
    neighbor = message["neighbor"]
    if message["type"] == "state" and neighbor["state"] != "up":
        # A session that ends withdraws its routes without a message.
        table.clear()
    update = neighbor.get("message", {}).get("update", {})
    attributes = json.dumps(update.get("attribute", {}))
    for next_hops in update.get("announce", {}).values():
        for next_hop, routes in next_hops.items():
            for route in routes:
                labels = f" label {route['label']}" if "label" in route else ""
                table[name(route)] = f"{next_hop}{labels} {attributes}"
    for routes in update.get("withdraw", {}).values():
        for route in routes:
            table.pop(name(route), None)


# The file exists from the start: its existence shows that ExaBGP runs.
save()
for line in sys.stdin:
    message = json.loads(line)
    if "neighbor" in message:
        apply(message)
        save()
