import type { Behaviour } from './directives.js';
import { filesOf } from './request-body.js';
import type { Json } from './wire.js';

/** A frame of MPEG-1 layer 3 with 128 kbit/s at 44.1 kHz that holds silence: 26 ms. */
const SILENT_FRAME = Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0x64]), Buffer.alloc(413)]);
const FRAMES_PER_PART = 16;

/**
 * Sound in the parts that it is streamed in: a silent MP3 frame for each character of the text, or as many bytes and
 * parts as the model name asks for.
 */
export function speechOf(text: string, { bytes, chunks }: Behaviour): Buffer[] {
  const sound =
    bytes === null
      ? Buffer.concat(Array.from({ length: Math.max(1, [...text].length) }, () => SILENT_FRAME))
      : Buffer.alloc(bytes, SILENT_FRAME);
  const count = Math.max(1, chunks ?? Math.ceil(sound.length / (SILENT_FRAME.length * FRAMES_PER_PART)));
  return Array.from({ length: count }, (_, index) =>
    sound.subarray(
      Math.floor((sound.length * index) / count),
      Math.floor((sound.length * (index + 1)) / count),
    ),
  );
}

const BYTES_PER_SECOND = 16_000;

/** Seconds of the sound in a form, as its size says or as the model name does; not rounded. */
export function secondsHeard(body: Json, { seconds }: Behaviour): number {
  if (seconds !== null) return seconds;
  return secondsOf(filesOf(body).reduce((sum, { bytes }) => sum + bytes, 0));
}

/** Seconds of so many bytes of sound, at 128 kbit/s; at least a hundredth. */
export function secondsOf(bytes: number): number {
  return Math.max(0.01, Math.round((bytes / BYTES_PER_SECOND) * 100) / 100);
}

/** What the sandbox hears in any sound. */
export const HEARD = 'The sandbox hears the same words in every file.';

export interface HeardWord {
  text: string;
  /** Seconds. */
  start: number;
  end: number;
}

/** Words of a text, spread evenly over so many seconds. */
export function wordsOver(text: string, seconds: number): HeardWord[] {
  const words = text.split(' ');
  const at = (index: number): number => Math.round((seconds * 1_000 * index) / words.length) / 1_000;
  return words.map((word, index) => ({ text: word, start: at(index), end: at(index + 1) }));
}

/** `00:00:01,500`; WebVTT writes a point where SubRip writes a comma. */
function clock(seconds: number, separator: string): string {
  return new Date(Math.round(seconds * 1_000)).toISOString().slice(11, 23).replace('.', separator);
}

export function subRip(text: string, seconds: number): string {
  return `1\n${clock(0, ',')} --> ${clock(seconds, ',')}\n${text}\n\n`;
}

export function webVtt(text: string, seconds: number): string {
  return `WEBVTT\n\n${clock(0, '.')} --> ${clock(seconds, '.')}\n${text}\n\n`;
}

const PNG_HEAD = Buffer.from('89504e470d0a1a0a', 'hex');

/** An image as base64 of about 1 MB, or of as many bytes as the model name asks for: what stands behind it is easily missed. */
export function imageBase64({ bytes }: Pick<Behaviour, 'bytes'>): string {
  return Buffer.concat([PNG_HEAD, Buffer.alloc(bytes ?? 768_000)]).toString('base64');
}
