# SPDX-License-Identifier: Apache-2.0
"""A small marketplace of experiences, and who visits it.

Everything is drawn from one seed, so two runs show the same visitors; only
the times differ, since a demo happens now. Nothing here talks to a server.
"""

import bisect
import itertools
import random

CATEGORIES = {
    "food": ["wine", "market", "bakery", "street", "sushi"],
    "outdoor": ["kayak", "hike", "surf", "bike", "climb"],
    "culture": ["museum", "opera", "castle", "tiles", "jazz"],
    "wellness": ["spa", "yoga", "sauna", "retreat"],
    "family": ["zoo", "lego", "puppets", "farm"],
}
LOCATIONS = ["lisbon", "porto", "berlin", "oslo", "kyoto", "lima"]

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Experience:
    """What is for sale: an id, its category and where it is."""

    def __init__(self, kind, category, location):
        self.id = f"{kind}-{location}"
        self.category = category
        self.location = location

    def event(self, time_ms, dwell):
        """The event of looking at it, as a beacon sends it."""
        return {
            "event_type": "view",
            "experience_id": self.id,
            "category": self.category,
            "location_id": self.location,
            "dwell_time_sec": dwell,
            "timestamp": time_ms,
        }

    def path(self, dwell):
        """The page of it, as a browser asks for it. The dwell stands in the
        link, since nobody wants to watch somebody read for half a minute."""
        return (f"/e/{self.id}?category={self.category}"
                f"&location={self.location}&dwell={dwell}")


class Persona:
    """One visitor whose story the demo tells: what they did before today's
    visit, and how long they stay on each page of it."""

    def __init__(self, name, user, past, dwells):
        self.name = name
        self.user = user
        self.past = past            # [(ms before now, dwell in s)]
        self.dwells = dwells        # one per live click


class Visitor:
    """One of the crowd: comes again and again, with its own patience."""

    def __init__(self, number, rng):
        self.cookie = None
        self.user = f"member-{number}" if rng.random() < 0.2 else None
        # Most look and leave, some compare, a few read all of it.
        self.patience = rng.choices([4, 15, 45], [6, 3, 1])[0]
        self.taste = rng.choice(list(CATEGORIES))

    def dwell(self, rng):
        return round(rng.lognormvariate(0, 0.5) * self.patience, 1)


def personas():
    """The three of the documentation, with the numbers that they must read:
    velocity 16.0 and high; 2.0 and not high; high with the fourth click."""
    active = [(3 * HOUR + k * 20 * MINUTE, 30.0) for k in range(10)]
    active += [(2 * MINUTE + k * 150 * SECOND, 28.0 + k % 5) for k in range(20)]
    dormant = [(6 * DAY + k * 3 * MINUTE, 25.0) for k in range(20)]
    return [
        Persona("active browser", "anna", active, [31, 34]),
        Persona("casual visitor", "carl", [], [4, 4]),
        Persona("dormant returner", "dora", dormant, [35, 32, 38, 36, 33]),
    ]


class Market:
    def __init__(self, visitors, seed=7):
        self.rng = random.Random(seed)
        self.experiences = [
            Experience(kind, category, location)
            for category, kinds in CATEGORIES.items()
            for kind in kinds for location in LOCATIONS
        ]
        self.rng.shuffle(self.experiences)
        self.crowd = [Visitor(n, self.rng) for n in range(visitors)]
        # Zipf with exponent 1: the n-th item is wanted 1/n as often.
        weights = [1 / (n + 1) for n in range(len(self.experiences))]
        self.cumulated = list(itertools.accumulate(weights))

    def pick(self, taste=None):
        """An experience by popularity; a taste is followed half the time."""
        for _ in range(8):
            at = self.rng.random() * self.cumulated[-1]
            found = self.experiences[bisect.bisect(self.cumulated, at)]
            if taste in (None, found.category) or self.rng.random() < 0.5:
                break
        return found

    def history(self, people, now_ms):
        """What the personas did before: [(user, event)] in time order, since
        an event that comes more than an hour late enters no window."""
        past = [(now_ms - ago, person.user, dwell)
                for person in people for ago, dwell in person.past]
        return [(user, self.pick().event(time_ms, dwell))
                for time_ms, user, dwell in sorted(past)]

    def step(self):
        """The next click of the crowd: (visitor, experience, dwell)."""
        visitor = self.rng.choice(self.crowd)
        return visitor, self.pick(visitor.taste), visitor.dwell(self.rng)
