//! The keys of the Secret that the user owns: what a person fills in, `kubectl csp login` writes and the operator reads.

/// The id of the partner's tenant.
pub(crate) const TENANT: &str = "partnerTenantId";
/// The id of the application registered there.
pub(crate) const CLIENT: &str = "clientId";
/// A secret of that application.
pub(crate) const CLIENT_SECRET: &str = "clientSecret";
/// A refresh token of a user who signed in to that application with MFA.
pub(crate) const REFRESH_TOKEN: &str = "refreshToken";
/// A certificate of the application, as PEM. As in a Secret of type `kubernetes.io/tls`, so that cert-manager can fill it.
pub(crate) const CERTIFICATE: &str = "tls.crt";
/// Its private key, as PEM.
pub(crate) const KEY: &str = "tls.key";
