"""What the map must do over whatever store."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from map_server import browse, chromium, pixels_of, serve, settled
from viewer_samples import keep, sample_store


def check_map(address: str, folder: Path) -> None:
    """Put the samples into a store, and look at them: counts, boxes, a filter, a click, pixels, another run.

    Args:
        address: Of a store that is made.
        folder: For the scenes.
    """
    samples = sample_store(folder)
    keep(samples, address)
    (rows,) = (rows for stored, rows in samples.found if (stored.run, stored.scene.id) == ("aaaa1111", "town"))
    best = int(np.argmax(rows.boxes[:, 2] * rows.boxes[:, 3]))
    with serve(address) as page_address, chromium() as browser:
        with browse(browser, f"{page_address}#run=aaaa1111") as page:
            page.wait_for_selector("#map[data-counted='100']")
            settled(page)
            seen = page.evaluate("swathe.map.queryRenderedFeatures({ layers: ['boxes'] }).length")
            assert seen >= 100  # one that lies in two tiles is there twice
            before = pixels_of(page)
            page.get_by_label("ship", exact=True).uncheck()
            settled(page)
            assert (np.abs(pixels_of(page) - before).max(axis=2) > 20).sum() > 500
            page.get_by_label("ship", exact=True).check()
            settled(page)
            point = page.evaluate(f"swathe.map.project({rows.centres()[best].tolist()})")
            page.mouse.click(point["x"], point["y"])
            page.locator("#details dl", has_text=f"{rows.scores[best]:.3f}").wait_for()
            page.locator("#details img").wait_for()
        with browse(browser, f"{page_address}#run=bbbb2222") as page:
            page.wait_for_selector("#map[data-counted='50']")
