import { Inject, Injectable } from '@nestjs/common';
import { VendoError } from '@vendo/errors';
import { MicrosWire } from '@vendo/events';
import { microsToWire } from '@vendo/money';
import { ReadModels } from '@vendo/read-models';
import { z } from 'zod';
import { AppsService } from '../operator/apps.service.js';
import { type AskedCaps, CapsService } from '../operator/caps.service.js';
import type { Reader } from './readers.js';

export const SpendCapsView = z.strictObject({
  daily_micros: MicrosWire.min(0).nullable(),
  monthly_micros: MicrosWire.min(0).nullable(),
  used_today_micros: MicrosWire.min(0),
  used_month_micros: MicrosWire.min(0),
});
export type SpendCapsView = z.infer<typeof SpendCapsView>;

/** Spend caps as their owners see and set them. The caps are the ledger's; what was used of them is read from the read models. */
@Injectable()
export class SpendCapsService {
  constructor(
    @Inject(CapsService) private readonly caps: CapsService,
    @Inject(AppsService) private readonly apps: AppsService,
    @Inject(ReadModels) private readonly readModels: ReadModels,
  ) {}

  /**
   * An app key sees its app's caps, a connection key its own, a user those of the app that is named.
   * Throws VendoError invalid_request, not_found, billing_unavailable.
   */
  async show(reader: Reader, appId: string | undefined): Promise<SpendCapsView> {
    const subject = await this.subjectOf(reader, appId);
    const [caps, used] = await Promise.all([
      this.caps.inForce(reader.tenantId, subject),
      this.readModels.usedOf(reader.tenantId, subject),
    ]);
    return {
      daily_micros: caps.spend_cap_micros_daily,
      monthly_micros: caps.spend_cap_micros_monthly,
      used_today_micros: microsToWire(used.today),
      used_month_micros: microsToWire(used.month),
    };
  }

  /** A user sets the caps of an app of its tenant; a key cannot lift its own. Throws as `show`, and token_required. */
  async change(reader: Reader, appId: string | undefined, asked: AskedCaps): Promise<SpendCapsView> {
    if (reader.kind !== 'user') throw new VendoError('token_required');
    const app = await this.subjectOf(reader, appId);
    await this.apps.change(app, asked, `user of tenant ${reader.tenantId}`);
    return this.show(reader, app);
  }

  private async subjectOf(reader: Reader, appId: string | undefined): Promise<string> {
    if (reader.kind === 'app') return reader.appId;
    if (reader.kind === 'connection') return reader.keyId;
    if (appId === undefined) throw new VendoError('invalid_request', 'app_id: is required with a token');
    await this.apps.mustBelong(reader.tenantId, appId);
    return appId;
  }
}
