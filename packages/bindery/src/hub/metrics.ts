import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { SessionView } from '@bindery/wire/api.ts';
import type { Launch } from './launch.ts';

export interface MetricsSources {
  readonly sessions: () => number;
  readonly running: () => number;
  readonly waiting: () => number;
  /** Providers of this hub: the only values of the label. */
  readonly providers: ReadonlySet<string>;
}

const SECONDS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000];

/** What the hub counts, for Prometheus. Every label has a small, fixed set of values (I9). */
export class Metrics {
  readonly #registry = new Registry();
  readonly #launches: Counter<'provider' | 'outcome'>;
  readonly #phases: Histogram<'phase' | 'cached'>;
  readonly #ready: Histogram;
  readonly #ends: Counter<'reason'>;
  readonly #providers: ReadonlySet<string>;

  constructor(sources: MetricsSources) {
    const registers = [this.#registry];
    this.#providers = sources.providers;
    collectDefaultMetrics({ register: this.#registry });
    this.#launches = new Counter({
      name: 'bindery_launches_total',
      help: 'Launches that ended, by provider and outcome (ready, cancelled, or the error code).',
      labelNames: ['provider', 'outcome'],
      registers,
    });
    this.#phases = new Histogram({
      name: 'bindery_phase_seconds',
      help: 'Duration of each phase of launches.',
      labelNames: ['phase', 'cached'],
      buckets: SECONDS,
      registers,
    });
    this.#ready = new Histogram({
      name: 'bindery_launch_seconds',
      help: 'From the request to a session that is ready.',
      buckets: SECONDS,
      registers,
    });
    this.#ends = new Counter({
      name: 'bindery_session_ends_total',
      help: 'Sessions that ended, by reason.',
      labelNames: ['reason'],
      registers,
    });
    this.#registry.registerMetric(gauge('bindery_sessions', 'Sessions that run now.', sources.sessions));
    this.#registry.registerMetric(gauge('bindery_launches_running', 'Launches under way.', sources.running));
    this.#registry.registerMetric(gauge('bindery_launches_waiting', 'Launches that wait for room.', sources.waiting));
  }

  launchEnded(launch: Launch): void {
    const { final } = launch.log;
    const provider = this.#providers.has(launch.link.provider) ? launch.link.provider : 'other';
    this.#launches.inc({ provider, outcome: final?.phase === 'failed' ? final.code : 'ready' });
    if (final?.phase === 'ready') this.#ready.observe(final.ms / 1000);
    for (const event of launch.log.events) {
      if (event.phase === 'ready' || event.phase === 'failed' || event.kind !== 'done' || event.ms === undefined) continue;
      this.#phases.observe({ phase: event.phase, cached: String(event.cached ?? false) }, event.ms / 1000);
    }
  }

  sessionEnded(view: SessionView): void {
    this.#ends.inc({ reason: view.endReason ?? 'stopped' });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

function gauge(name: string, help: string, value: () => number): Gauge {
  return new Gauge({
    name,
    help,
    registers: [],
    collect() {
      this.set(value());
    },
  });
}
