import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Recording } from './recording.js';

/** A quantity of one meter, and whose price it may have. */
export interface PricedLine {
  meter: string;
  /** Decimal. */
  quantity: string;
  /** The model that answered, then the one that was asked for: of each the names to try, in their order. */
  models: readonly (readonly string[])[];
}

export interface Circumstances {
  provider: string;
  tier: string;
  /** Tokens of the whole prompt. */
  promptTokens: number;
}

/** In the standard tier, from now on; decimals. */
export interface SetPrice {
  provider: string;
  model: string;
  meter: string;
  unit_cost_usd: string;
  per: string;
}

interface Row {
  provider: string;
  model: string;
  tier: string;
  meter: string;
  contextFrom: number;
  usd: Fraction;
  per: Fraction;
  effectiveFrom: string;
}

type Fraction = readonly [numerator: bigint, denominator: bigint];

const FOLDER = path.join(import.meta.dirname, '..', '..', 'libs', 'pricing', 'catalogue');
const CATALOGUE = ['imported.csv', 'by-hand.csv'].map((file) =>
  readFileSync(path.join(FOLDER, file), 'utf8'),
);
/** What a tier has a price of, if it has any. */
const TOKENS = ['input_tokens', 'output_tokens'];
const STANDARD = 'standard';
/** A million micros to the dollar, and the margin of 20 % that every registry begins with. */
const MICROS_WITH_MARGIN: Fraction = [1_200_000n, 1n];

/**
 * What a call costs by the catalogue's rows: their quantity times their price, summed, with the margin, rounded once half
 * to even. It shares no code with the product, so that both must be wrong in the same way to agree by mistake.
 */
export class ListPrices {
  private readonly rows: Row[];
  private readonly today = new Date().toISOString().slice(0, 10);

  /** @param files in the form of the catalogue's. */
  constructor(files: readonly string[] = CATALOGUE) {
    this.rows = files.flatMap(rowsOf);
  }

  /** Whether one of these names has a row of its own. */
  knows(provider: string, names: readonly string[]): boolean {
    return names.some((name) => this.rows.some((row) => row.provider === provider && row.model === name));
  }

  /** Whether every model of the provider has a price of this meter. */
  knowsAll(provider: string, meter: string): boolean {
    return this.rows.some((row) => row.provider === provider && row.model === '*' && row.meter === meter);
  }

  /** A price that the operator sets beside the catalogue. */
  add({ provider, model, meter, unit_cost_usd, per }: SetPrice): void {
    this.rows.push({
      ...{ provider, model, tier: STANDARD, meter, contextFrom: 0 },
      ...{ usd: fraction(unit_cost_usd), per: fraction(per), effectiveFrom: this.today },
    });
  }

  /** Micro-USD, margin included. Throws for a line without a price: whatever is billed costs something, or is free by a row. */
  microsOf(lines: readonly PricedLine[], circumstances: Circumstances): number {
    const usd = lines.map((line) => times(fraction(line.quantity), this.unitPrice(line, circumstances)));
    return roundedHalfEven(times(usd.reduce(plus, [0n, 1n]), MICROS_WITH_MARGIN));
  }

  /**
   * Of each model the first name with any row prices alone: the answered one in the tier or else in the standard one, and
   * only without either the asked one. Where both are names of one model, the one that has the tier. What it lacks is
   * looked up among the rows for every model, and what the tier lacks in the standard one.
   */
  private unitPrice(
    { meter, models }: PricedLine,
    { provider, tier, promptTokens }: Circumstances,
  ): Fraction {
    const ofProvider = this.rows.filter(
      (row) => row.provider === provider && row.effectiveFrom <= this.today,
    );
    const known = models.flatMap(
      (names) => names.find((name) => ofProvider.some(({ model }) => model === name)) ?? [],
    );
    const has = (name: string, inTier: string): boolean =>
      TOKENS.every((needed) =>
        ofProvider.some((row) => row.model === name && row.tier === inTier && row.meter === needed),
      );
    const tiers = [tier, STANDARD];
    const [answered = [], [asked = ''] = []] = models;
    const [chosen] = [
      ...(answered.includes(asked)
        ? tiers.flatMap((inTier) => known.filter((name) => has(name, inTier)))
        : known.filter((name) => tiers.some((inTier) => has(name, inTier)))),
      // It is billed by other meters.
      ...known,
    ];
    for (const inTier of tiers)
      for (const model of [chosen, '*']) {
        const [row] = ofProvider
          .filter((one) => one.model === model && one.meter === meter && one.tier === inTier)
          .filter(({ contextFrom }) => contextFrom <= promptTokens)
          .sort((a, b) => b.contextFrom - a.contextFrom || (a.effectiveFrom < b.effectiveFrom ? 1 : -1));
        if (row) return times(row.usd, [row.per[1], row.per[0]]);
      }
    throw new Error(`no price of ${meter} for ${provider} ${models.flat().join(' or ')} in ${tier}`);
  }
}

function rowsOf(csv: string): Row[] {
  const [, ...lines] = csv.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [provider = '', model = '', tier = '', meter = '', context, usd = '0', per = '1', day = ''] =
      line.split(',');
    return {
      ...{ provider, model, tier, meter, contextFrom: Number(context) },
      ...{ usd: fraction(usd), per: fraction(per), effectiveFrom: day },
    };
  });
}

function fraction(decimal: string): Fraction {
  const [whole = '0', behind = ''] = decimal.split('.');
  return [BigInt(whole + behind), 10n ** BigInt(behind.length)];
}

function times([a, b]: Fraction, [c, d]: Fraction): Fraction {
  return [a * c, b * d];
}

function plus([a, b]: Fraction, [c, d]: Fraction): Fraction {
  return [a * d + c * b, b * d];
}

function roundedHalfEven([numerator, denominator]: Fraction): number {
  const whole = numerator / denominator;
  const twice = 2n * (numerator % denominator);
  const isUp = twice > denominator || (twice === denominator && whole % 2n === 1n);
  return Number(isUp ? whole + 1n : whole);
}

/** Without a price of this a call is refused. */
export function neededMeter({ expected_billable }: Recording): string {
  if (expected_billable?.cost_usd !== undefined) return 'usd';
  return expected_billable?.calls === undefined ? 'input_tokens' : 'composio.action_call';
}

/** Prices of ours: where the provider names the cost a dollar is one, else for all that tokens, sounds and pictures are billed by. */
export function ratesOf(one: Recording) {
  if (neededMeter(one) === 'usd')
    return [
      { meter: 'usd', unit_cost_usd: '1', per: '1' },
      { meter: 'requests', unit_cost_usd: '0', per: '1', free: true },
    ];
  return METERS_OF_ANSWERS.map((meter, n) => ({ meter, unit_cost_usd: String(3 + 12 * n), per: '1000000' }));
}

const METERS_OF_ANSWERS = [
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_write_tokens',
  'cache_write_1h_tokens',
  'audio_input_tokens',
  'audio_output_tokens',
  'image_input_tokens',
  'image_tokens',
  'characters',
  'audio_seconds',
  'images',
];
