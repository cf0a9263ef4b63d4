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
                "classes": model.card.classes,
                "scales": model.card.scales,
                "metres_per_pixel": model.card.resolution,
                "min_score": model.card.min_score,
                "files": [str(path) for path in model.files],
                "page": None if model.page is None else str(model.page),
            }
            for model in shipped
        ]
        print_json({"event": "summary", "models": entries})
        return
    if not shipped:
        echo("no models come with this installation; give the path of a .onnx or .safetensors file instead")
    for model in shipped:
        resolution = model.card.resolution
        echo(f"{model.name}  ({model.card.layout})")
        echo(f"  classes     {', '.join(model.card.classes)}")
        if resolution is not None:
            echo(f"  resolution  {resolution:g} m per pixel")
        echo(f"  scales      {', '.join(f'{scale:g}' for scale in model.card.scales)}")
        echo(f"  min score   {model.card.min_score:g}")
        if model.page is not None:
            echo(f"  page        {model.page}")
