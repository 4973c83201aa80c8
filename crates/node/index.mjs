import tagwarden from './index.js'

export const {
  ApprovedPlan, Artifact, Channel, Commit, Config, Digest, Environment, IdempotencyKey, MemoryLedger, MemoryRegistry,
  OciRegistry, OpenedLedger, Plan, Promoter, Provenance, Reference, ReleaseLabel, Repository, Tag, TagwardenError,
  TestRegistry, Timestamp, conformance, errorKinds, initLedger, openLedger, packArtifact, pushArtifact,
} = tagwarden
