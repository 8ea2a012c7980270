import type { Behaviour } from './directives.js';
import { Kept } from './kept.js';

/** A job that a client submits and then asks for until it is done. */
interface Job<Request> {
  request: Request;
  behaviour: Behaviour;
  polls: number;
}

const USUAL_POLLS = 2;
const JOBS_MOST = 10_000;

/** Jobs of one provider. They come to an end by being asked for, so that no test waits and none is late. */
export class Jobs<Request> {
  private readonly kept = new Kept<Job<Request>>(JOBS_MOST);

  submit(id: string, request: Request, behaviour: Behaviour): void {
    this.kept.put(id, { request, behaviour, polls: 0 });
  }

  /** The job after one poll more; null when there is none of that id. */
  poll(id: string): { request: Request; behaviour: Behaviour; done: boolean } | null {
    const job = this.kept.get(id);
    if (!job) return null;
    job.polls += 1;
    return this.peek(id);
  }

  /** The job as it stands. */
  peek(id: string): { request: Request; behaviour: Behaviour; done: boolean } | null {
    const job = this.kept.get(id);
    if (!job) return null;
    const { request, behaviour, polls } = job;
    return { request, behaviour, done: polls >= (behaviour.polls ?? USUAL_POLLS) };
  }
}
