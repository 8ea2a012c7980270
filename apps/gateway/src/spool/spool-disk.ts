/** The disk under the spool. Writing is synchronous: the terminal chunk of a call waits for it, and it goes to the page cache. */
export abstract class SpoolDisk {
  /** Makes a new folder that holds `fileName` with `text`, both on the disk when it returns; the folder appears with its file or not at all. */
  abstract createFolder(folder: string, fileName: string, text: string): void;

  /** Opens a new file for writing. Throws when it exists already. */
  abstract create(path: string): number;

  /** Writes at a position and returns how many bytes were written, which may be fewer than asked for. Throws as `fs.writeSync`. */
  abstract write(file: number, bytes: Buffer, position: number): number;
  abstract truncate(file: number, length: number): void;
  abstract close(file: number): void;
  abstract remove(path: string): void;

  /** Resolves when the file's data is on the disk (fdatasync). */
  abstract sync(file: number): Promise<void>;

  /** Resolves when the folder's entries are on the disk. */
  abstract syncFolder(folder: string): Promise<void>;

  /** Reads up to `length` bytes; fewer only at the end of the file. */
  abstract read(path: string, position: number, length: number): Promise<Buffer>;

  /** The folder's entries in the order of their names; none when there is no such folder. */
  abstract list(folder: string): Promise<DiskEntry[]>;

  /** The text of a small file; null when there is none. */
  abstract readText(path: string): Promise<string | null>;

  /** Writes a small file whole, making its folder when that is missing. */
  abstract writeFile(path: string, content: string | Buffer): Promise<void>;
  abstract removeFolder(folder: string): Promise<void>;
}

export interface DiskEntry {
  name: string;
  bytes: number;
}
