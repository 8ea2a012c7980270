/** What `GET /healthz` answers: healthy unless a named part has said why it is not. */
export class Health {
  private readonly problems = new Map<string, string>();

  /** Marks a part as down; `reason` is shown to anybody, so no secret may enter. */
  down(part: string, reason: string): void {
    this.problems.set(part, reason);
  }

  up(part: string): void {
    this.problems.delete(part);
  }

  /** Null when healthy, else the reasons by part. */
  report(): Record<string, string> | null {
    return this.problems.size === 0 ? null : Object.fromEntries(this.problems);
  }
}
