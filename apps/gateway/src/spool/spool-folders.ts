import path from 'node:path';
import type { SegmentFile } from './frame-source.js';
import { HEADER_FILE, SpoolHeader } from './spool-header.js';
import type { SpoolParts } from './spool-parts.js';

const SPOOL_FOLDER = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const SEGMENT_NAME = /^(\d{8})\.seg$/;

export function spoolsFolder(dataDir: string): string {
  return path.join(dataDir, 'spool');
}

/** Damaged bytes are kept here for people; nothing reads or deletes them. */
export function damagedFile(dataDir: string, spoolId: string, segment: number, offset: number): string {
  return path.join(dataDir, 'spool-damaged', `${spoolId}-${segment}-${offset}.bin`);
}

export function segmentName(index: number): string {
  return `${String(index).padStart(8, '0')}.seg`;
}

/** The number of a segment by its file name; null for any other file. */
function segmentIndex(fileName: string): number | null {
  const [, digits] = SEGMENT_NAME.exec(fileName) ?? [];
  return digits === undefined ? null : Number(digits);
}

/** All spools of a data folder, which other processes and other hosts may share. Each method throws when the disk fails. */
export class SpoolFolders {
  private readonly damaged = new Set<string>();

  constructor(
    readonly dataDir: string,
    private readonly parts: Pick<SpoolParts, 'disk' | 'logger'>,
  ) {}

  pathOf(spoolId: string): string {
    return path.join(spoolsFolder(this.dataDir), spoolId);
  }

  /** Who writes or wrote each spool that is here. One without a readable header is left alone, with one alert. */
  async headers(): Promise<SpoolHeader[]> {
    const headers: SpoolHeader[] = [];
    for (const { name } of await this.parts.disk.list(spoolsFolder(this.dataDir))) {
      if (!SPOOL_FOLDER.test(name)) continue;
      const header = await this.headerOf(name);
      if (header) headers.push(header);
      else await this.tellDamaged(name);
    }
    return headers;
  }

  /** Null when it is not here, or not readable as this spool's. */
  async headerOf(spoolId: string): Promise<SpoolHeader | null> {
    const header = parseHeader(await this.parts.disk.readText(path.join(this.pathOf(spoolId), HEADER_FILE)));
    return header?.spool_id === spoolId ? header : null;
  }

  /** The segments that are there now, in order; none when there is no such spool. */
  async segments(spoolId: string): Promise<SegmentFile[]> {
    const folder = this.pathOf(spoolId);
    return (await this.parts.disk.list(folder)).flatMap(({ name, bytes }) => {
      const index = segmentIndex(name);
      return index === null ? [] : { index, path: path.join(folder, name), bytes };
    });
  }

  private async tellDamaged(spoolId: string): Promise<void> {
    if (this.damaged.has(spoolId)) return;
    const folder = this.pathOf(spoolId);
    // A writer that ends well takes its folder along, perhaps just now.
    if ((await this.parts.disk.list(folder)).length === 0) return;
    this.damaged.add(spoolId);
    this.parts.logger.error(
      { alert: 'spool_header_damaged', folder },
      'a spool without a readable header is left alone',
    );
  }
}

function parseHeader(text: string | null): SpoolHeader | null {
  try {
    return SpoolHeader.safeParse(JSON.parse(text ?? '')).data ?? null;
  } catch {
    return null;
  }
}
