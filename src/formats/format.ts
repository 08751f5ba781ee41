import type { Stream } from '../sources/port.ts';

/** One record as the fields of a canonical line, before they are checked. */
export type Line = Readonly<Record<string, unknown>>;

/** How one kind of log is written. */
export interface Format {
  readonly name: string;
  /**
   * Reads one record into canonical fields.
   *
   * @param text the record, decoded from UTF-8, without byte order mark
   * @throws RecallError ERR_DECODE_JSON or ERR_DECODE_SCHEMA where it is no record of this format
   */
  read(text: string, stream: Stream): Line;
}
