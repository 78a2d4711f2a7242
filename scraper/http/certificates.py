"""The certificate authorities that pages and images are checked against."""

import os
import ssl
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from gemkit.errors import UserError

#: The settings of either library, in the order in which they are looked up; each names a file or folder.
VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")

#: This one may name several folders, as in OpenSSL.
_LIST = "SSL_CERT_DIR"


def tls_context() -> ssl.SSLContext:
    """TLS with the authorities that the environment names. Raises UserError if they cannot be read."""
    name = next(filter(os.environ.get, VARIABLES), "")
    value = os.environ.get(name, "")
    paths = [path for path in (value.split(os.pathsep) if name == _LIST else [value]) if path]
    context = None
    for path in paths or [DEFAULT_CA_BUNDLE_PATH]:
        file, folder = (None, path) if Path(path).is_dir() else (path, None)
        try:
            if context is None:
                context = ssl.create_default_context(cafile=file, capath=folder)
            else:
                context.load_verify_locations(file, folder)
        except OSError as error:  # an SSLError is one too
            problem = "has no certificate in it" if isinstance(error, ssl.SSLError) else "cannot be read"
            raise UserError(
                f"{name} names '{path}', which {problem}; correct or unset that environment variable."
            ) from None
    assert context is not None
    return context
