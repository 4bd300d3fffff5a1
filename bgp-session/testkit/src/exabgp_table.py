"""What ExaBGP says of its neighbor, made into a table: a file with a line for each route, its next hop and its attributes."""
import json
import os
import sys

path = sys.argv[1]
table = {}


def save():
    with open(path + ".new", "w") as file:
        file.writelines(f"{name} via {rest}\n" for name, rest in table.items())
    # Whoever reads the file sees all of it.
    os.rename(path + ".new", path)


def name(route):
    """The text of a route, with everything that distinguishes it. A withdrawal has no label, or another one."""
    if "string" in route:
        return route["string"]
    if "nlri" in route:
        return f"{route['nlri']} rd {route['rd']}" if "rd" in route else route["nlri"]
    return json.dumps({key: value for key, value in route.items() if key not in ("label", "raw")})


def apply(message):
    neighbor = message["neighbor"]
    if message["type"] == "state" and neighbor["state"] != "up":
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


save()
for line in sys.stdin:
    message = json.loads(line)
    if "neighbor" in message:
        apply(message)
        save()
