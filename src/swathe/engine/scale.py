"""The scale at which a scene is looked at: objects shall be as large in pixels as the model knows them.

A model says how large its pixels were on the ground, a georeferenced scene says how large its own are, and for others
the caller may. Where both are known, the scale is their ratio; a run's scales are factors of it. Where one is not, the
run's scales are level pixels per scene pixel.
"""

from __future__ import annotations

from swathe.engine.settings import LEAST_SCALE, RunSettings
from swathe.raster.scene import Scene

# An overview, or the full resolution, is read as it is where objects then differ by no more than this from the size
# that the model wants: augmentation varies sizes by far more, and resampling costs time.
CLOSE = 0.1
MOST_ENLARGED = 4.0  # more pixels show no more of an object
DIGITS = 3  # of a scale; fewer pixels than that make no difference
CENTIMETRES = 100.0


def scene_scales(scene: Scene, settings: RunSettings) -> tuple[float, ...]:
    """Return the scales of a scene.

    Args:
        scene: The scene.
        settings: The scales of the run, and the resolution that they are factors of.

    Returns:
        Level pixels per scene pixel, one for each scale of the run.
    """
    own = None if settings.resolution is None else scene.ground_resolution
    if settings.resolution is None or own is None:
        return settings.scales
    return tuple(_near(scene, own / settings.resolution * factor) for factor in settings.scales)


def scale_note(scene: Scene, settings: RunSettings) -> str | None:
    """Say why a scene is looked at in its scale.

    Args:
        scene: The scene.
        settings: The scales of the run, and the resolution that they are factors of.

    Returns:
        A sentence; None if the caller has chosen the scale, or the model does not care.
    """
    wanted, own = settings.resolution, scene.ground_resolution
    if wanted is None:
        return None
    scales = ", ".join(f"{scale:g}" for scale in scene_scales(scene, settings))
    if own is None:
        return (
            f"scale {scales}: the model wants pixels of {_length(wanted)}, and nothing says how large those of this "
            "scene are; they are taken to be as large"
        )
    reason = f"scale {scales}: the model wants pixels of {_length(wanted)}, this scene has {_length(own)}"
    if own / wanted * max(settings.scales) > MOST_ENLARGED:
        return f"{reason}; more than {MOST_ENLARGED:g} times larger would show no more"
    return reason


def _near(scene: Scene, scale: float) -> float:
    """Round a scale, to that of an overview where one is close."""
    scale = max(LEAST_SCALE, min(scale, MOST_ENLARGED))
    kept = [1.0 / factor for factor in (1, *scene.overviews)]
    nearest = min(kept, key=lambda other: abs(other / scale - 1.0))
    return nearest if abs(nearest / scale - 1.0) <= CLOSE else float(f"{scale:.{DIGITS}g}")


def _length(metres: float) -> str:
    """Return a length as people write it."""
    return f"{metres:.3g} m" if metres >= 1.0 else f"{metres * CENTIMETRES:.3g} cm"
