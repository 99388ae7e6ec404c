"""Errors of an S3 service → one sentence with the remedy."""

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError

from retouch.errors import SourceError
from retouch.storage.listing import redact
from retouch.storage.retries import TransientError

BUSY = {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling", "ThrottlingException",
        "RequestLimitExceeded", "OperationAborted"}  # fmt: skip
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"}
REFUSED = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidClientTokenId", "AuthFailure",
           "UnrecognizedClientException"}  # fmt: skip
REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"}
CUT = (boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError)
UNREACHED = (boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ProxyConnectionError)
LOGIN = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`"
RENEW = "renew them (`aws sso login`, or a new AWS_SESSION_TOKEN with its keys) and run the same command again, it continues"


def explain(error: Exception, location: str, bucket: str, endpoint: str) -> Exception:
    """A TransientError where another try may help, else the SourceError."""
    if isinstance(error, ClientError):
        return _explain_answer(error, location, bucket, endpoint)
    text = redact(" ".join(str(error).split()))
    if isinstance(error, boto.SSLError):
        return SourceError(f"{location}: no trusted connection to {endpoint} ({text}): fix data.endpoint or set AWS_CA_BUNDLE")
    if isinstance(error, UNREACHED):
        return TransientError(f"{endpoint} cannot be reached: check data.endpoint and the network", answered=False)
    if isinstance(error, CUT):
        return TransientError(f"the connection to {endpoint} was cut")
    if isinstance(error, boto.NoCredentialsError | boto.PartialCredentialsError):
        return SourceError(f"{location}: there are no AWS credentials: {LOGIN}")
    if isinstance(error, boto.ProfileNotFound):
        return SourceError(f"{location}: {text}: fix AWS_PROFILE or add it with `aws configure --profile NAME`")
    if type(error).__name__ in (
        "UnauthorizedSSOTokenError",
        "SSOTokenLoadError",
        "TokenRetrievalError",
        "LoginRefreshRequired",
    ):
        return SourceError(f"{location}: the AWS login has expired: {RENEW}")
    if isinstance(error, boto.CredentialRetrievalError):
        return SourceError(f"{location}: the AWS credentials cannot be read ({type(error).__name__}): {LOGIN}")
    if isinstance(error, boto.ParamValidationError) or type(error).__name__ == "InvalidBucketName":
        return SourceError(f"data.location {location}: {bucket!r} is not a bucket name: write s3://BUCKET/PREFIX")
    if not isinstance(error, BotoCoreError):  # a ValueError of boto3: the endpoint is not an address
        return SourceError(f"{location}: data.endpoint is not an address: write it like https://HOST:PORT")
    return SourceError(f"{location}: {text}: check the AWS settings")


def _explain_answer(error: ClientError, location: str, bucket: str, endpoint: str) -> Exception:
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    code = str(error.response.get("Error", {}).get("Code", status))
    if code in BUSY or status >= 500 or status == 429:
        after = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("retry-after", "")
        return TransientError(f"{endpoint} is busy ({code})", float(after) if after.isdigit() else None)
    if code == "NoSuchBucket":
        return SourceError(f"{location}: there is no bucket {bucket} at {endpoint}: check data.location and data.endpoint")
    if code in EXPIRED:
        return SourceError(f"{location}: the AWS credentials have expired: {RENEW}")
    if code in REFUSED:
        return SourceError(f"{location}: {endpoint} does not know the AWS credentials ({code}): {LOGIN}")
    if code == "RequestTimeTooSkewed":
        return SourceError(f"{location}: this machine's clock is wrong: set it")
    if code in REGION:
        return SourceError(f"{location}: the bucket is in another region ({code}): set AWS_REGION")
    if code in ("NoSuchKey", "404"):
        return SourceError(f"{location}: an object vanished while it was read: run the same command again")
    if status in (401, 403):
        return SourceError(
            f"{location}: access is denied ({code}): these AWS credentials may not list or read it; ask its owner or {LOGIN}"
        )
    return SourceError(f"{location}: {endpoint} answers {code} ({status}): check data.location and data.endpoint")
