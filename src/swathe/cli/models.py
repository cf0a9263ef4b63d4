"""`swathe models`: what models come with Swathe."""

from __future__ import annotations

from swathe.cli.options import Json, print_json
from swathe.cli.output import echo


def models(json: Json = False) -> None:
    """List the models that come with Swathe."""
    from swathe.detectors.registry import list_models

    shipped = list_models()
    if json:
        entries = [
            {
                "name": model.name,
                "size": model.info.size,
                "classes": model.info.classes,
                "scales": model.info.scales,
                "metres_per_pixel": model.info.ground_sample_distance,
                "min_score": model.info.min_score,
                "files": [str(path) for path in model.files],
                "card": None if model.card is None else str(model.card),
            }
            for model in shipped
        ]
        print_json({"event": "summary", "models": entries})
        return
    if not shipped:
        echo("no models come with this installation; give the path of a .onnx or .safetensors file instead")
    for model in shipped:
        resolution = model.info.ground_sample_distance
        echo(f"{model.name}  (YWCSL {model.info.size})")
        echo(f"  classes     {', '.join(model.info.classes)}")
        if resolution is not None:
            echo(f"  resolution  {resolution:g} m per pixel")
        echo(f"  scales      {', '.join(f'{scale:g}' for scale in model.info.scales)}")
        echo(f"  min score   {model.info.min_score:g}")
        if model.card is not None:
            echo(f"  card        {model.card}")
