// Tiles from a PMTiles file: pieces of it, or all of it from hosts that give no pieces.

import type { AddProtocolAction } from "maplibre-gl";
import { PMTiles, Protocol, type RangeResponse, type Source } from "pmtiles";

class HostedFile implements Source {
  private whole: Promise<ArrayBuffer> | null = null;
  private readonly address: string;

  constructor(address: string) {
    this.address = address;
  }

  getKey(): string {
    return this.address;
  }

  async getBytes(offset: number, length: number, signal?: AbortSignal): Promise<RangeResponse> {
    if (!this.whole) {
      const answer = await fetch(this.address, { headers: { Range: `bytes=${offset}-${offset + length - 1}` }, signal: signal ?? null });
      if (answer.status === 206) return { data: await answer.arrayBuffer() };
      if (!answer.ok) throw new Error(`${this.address}: the host answered ${answer.status}`);
      this.whole ??= answer.arrayBuffer();
    }
    return { data: (await this.whole).slice(offset, offset + length) };
  }
}

/** Open an archive; its tiles are under `pmtiles://` and its address. */
export function openArchive(address: string): { archive: PMTiles; load: AddProtocolAction } {
  const archive = new PMTiles(new HostedFile(address));
  const protocol = new Protocol();
  protocol.add(archive);
  return { archive, load: protocol.tile };
}
