import { type DynamicModule, Module } from '@nestjs/common';
import { AesCredentialVault, type CredentialsConfig } from './aes.credential-vault.js';
import { CredentialVault } from './credential-vault.js';

/** Provides CredentialVault. */
@Module({})
export class CredentialsModule {
  static from(config: CredentialsConfig): DynamicModule {
    return {
      module: CredentialsModule,
      providers: [{ provide: CredentialVault, useValue: new AesCredentialVault(config) }],
      exports: [CredentialVault],
    };
  }
}
