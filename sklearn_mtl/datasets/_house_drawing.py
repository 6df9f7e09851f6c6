"""Pictures of houses, drawn with rectangles, triangles and discs.

Everything is placed in metres, from the middle of the house and from the ground, and drawn by `Canvas` in as
many pixels as there are.
"""

from __future__ import annotations

import numpy as np

STOREY = 2.8  # metres, as are all lengths below
ROOF = 2.4
DOOR = (1.0, 2.1)
WINDOW = (1.1, 1.3)
NEIGHBOUR = 20.0  # so wide that it ends out of sight
METRES_ACROSS = (18.0, 24.0)
SKIES = {
    "sun": (120, 180, 245),
    "clouds": (170, 180, 190),
    "rain": (120, 128, 138),
    "snow": (172, 180, 192),
    "dusk": (88, 72, 118),
}
# By how much the light of each weather multiplies all colours but the sky's.
LIGHT = {"sun": 1.0, "clouds": 0.85, "rain": 0.7, "snow": 0.9, "dusk": 0.55}
GRASS, SNOW = (85, 140, 60), (235, 238, 242)
WALLS = ((225, 215, 190), (200, 120, 90), (235, 235, 230), (180, 190, 170), (160, 150, 150))
ROOFS = ((150, 60, 45), (80, 70, 70), (110, 85, 60), (60, 75, 95))
STAIN = (95, 85, 70)
MOST_STAINED = 0.5  # share of a front
FALLING = {"snow": (245, 245, 250), "rain": (150, 160, 175)}


class Canvas:
    """A picture that is painted in metres.

    Parameters
    ----------
    size : int
        Height and width in pixels.
    metres : float
        How many metres the picture is wide.
    middle : float
        Where the origin is, as a share of the width.
    ground : float
        Where the ground begins, as a share of the height from the top.
    """

    def __init__(self, size: int, metres: float, middle: float, ground: float) -> None:
        self.pixels = np.zeros((size, size, 3), dtype=np.float32)
        centres = (np.arange(size) + 0.5) / size
        self.x = ((centres - middle) * metres)[None, :]
        self.y = ((ground - centres) * metres)[:, None]
        self.light = 1.0

    def paint(self, where: np.ndarray, colour: tuple[float, ...]) -> None:
        """Paint the pixels where a mask of them is true."""
        self.pixels[where] = np.asarray(colour, dtype=np.float32) * self.light

    def rectangle(
        self, left: float, bottom: float, width: float, height: float, colour: tuple[float, ...]
    ) -> None:
        """Paint a rectangle, given its lower left corner."""
        across = (self.x >= left) & (self.x < left + width)
        self.paint(across & (self.y >= bottom) & (self.y < bottom + height), colour)

    def gable(
        self, left: float, bottom: float, width: float, height: float, colour: tuple[float, ...]
    ) -> None:
        """Paint a triangle on its longest side."""
        up = (self.y - bottom) / height
        beside = np.abs(self.x - left - width / 2) / (width / 2)
        self.paint((up >= 0) & (beside + up < 1), colour)

    def disc(self, x: float, y: float, radius: float, colour: tuple[float, ...]) -> None:
        """Paint a disc, given its middle."""
        self.paint((self.x - x) ** 2 + (self.y - y) ** 2 < radius**2, colour)


def draw_house(
    width: float,
    storeys: int,
    kind: str,
    condition: float,
    trees: int,
    weather: str,
    *,
    size: int,
    random: np.random.RandomState,
) -> np.ndarray:
    """Return a picture of a house, uint8 of shape (size, size, 3).

    Parameters
    ----------
    width : float
        Metres from one side of the front to the other.
    storeys : int
        Their number; 3 at most fit into the picture.
    kind : str
        A semi-detached house has a neighbour at one side, a terraced one at both.
    condition : float
        From 0, all walls stained, to 1.
    trees : int
        Number of trees in the garden.
    weather : str
        One of `SKIES`.
    size : int
        Height and width in pixels.
    random : RandomState
        What is drawn beside all that: colours, the roof, where the house and the trees stand, and what is
        drawn pixel by pixel.
    """
    texture = np.random.RandomState(random.randint(2**31 - 1))
    middle, ground = random.uniform(0.42, 0.58), random.uniform(0.72, 0.8)
    canvas = Canvas(size, random.uniform(*METRES_ACROSS), middle, ground)
    canvas.paint(np.ones((size, size), dtype=bool), SKIES[weather])
    canvas.light = LIGHT[weather]
    canvas.paint(np.broadcast_to(canvas.y < 0, (size, size)), SNOW if weather == "snow" else GRASS)
    sides = {"semi-detached": [int(random.choice((-1, 1)))], "terraced": [-1, 1]}.get(kind, [])
    for left in (width / 2 if side > 0 else -width / 2 - NEIGHBOUR for side in sides):
        _draw_walls(canvas, left, NEIGHBOUR, storeys, in_snow=weather == "snow", random=random)
    _draw_walls(canvas, -width / 2, width, storeys, in_snow=weather == "snow", random=random)
    front = (np.abs(canvas.x) < width / 2) & (canvas.y >= 0) & (canvas.y < STOREY * storeys)
    canvas.paint(front & (texture.uniform(size=front.shape) < MOST_STAINED * (1 - condition)), STAIN)
    _draw_openings(canvas, width, storeys, is_dark=weather == "dusk")
    _draw_garden(canvas, trees, random)
    if weather in FALLING:
        canvas.light = 1.0
        canvas.paint(texture.uniform(size=front.shape) < 0.03, FALLING[weather])
    grain = texture.normal(scale=6.0, size=canvas.pixels.shape)
    return np.clip(canvas.pixels + grain, 0, 255).astype(np.uint8)


def _draw_walls(
    canvas: Canvas,
    left: float,
    width: float,
    storeys: int,
    *,
    in_snow: bool,
    random: np.random.RandomState,
) -> None:
    height = STOREY * storeys
    wall, roof = WALLS[random.randint(len(WALLS))], ROOFS[random.randint(len(ROOFS))]
    canvas.rectangle(left, 0, width, height, wall)
    top = SNOW if in_snow else roof
    if random.uniform() < 0.5:
        canvas.gable(left - 0.4, height, width + 0.8, ROOF, top)
    else:
        canvas.rectangle(left - 0.4, height, width + 0.8, ROOF / 2, top)


def _draw_openings(canvas: Canvas, width: float, storeys: int, *, is_dark: bool) -> None:
    glass = (400, 350, 180) if is_dark else (70, 90, 120)
    per_storey = max(2, int(width / 2.5))
    places = (np.arange(per_storey) + 0.5) / per_storey * width - width / 2
    door = places[per_storey // 2]
    for storey in range(storeys):
        for place in places:
            if storey > 0 or place != door:
                canvas.rectangle(place - WINDOW[0] / 2, STOREY * storey + 1.0, *WINDOW, glass)
    canvas.rectangle(door - DOOR[0] / 2, 0, *DOOR, (90, 50, 30))


def _draw_garden(canvas: Canvas, trees: int, random: np.random.RandomState) -> None:
    for _ in range(trees):
        x, depth = random.uniform(-8, 8), random.uniform(-4, -1.5)
        green = (30 + random.uniform(0, 30), 90 + random.uniform(0, 40), 35)
        canvas.rectangle(x - 0.2, depth, 0.4, 1.4, (85, 60, 40))
        canvas.disc(x, depth + 2.0, random.uniform(0.9, 1.3), green)
