"""Django settings, all read from the environment (docs/operations.md has the table).

The database address is not decided here: `callbill` (and the tests' plugin) put DATABASE_URL into the
environment first, after starting the embedded server if none was given (`config.embedded`).
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from csp.constants import NONCE, NONE, SELF

PACKAGE = Path(__file__).resolve().parent.parent

CALLBILL_MODE = os.environ.get("CALLBILL_MODE", "production")  # production, demo or test
CALLBILL_ENVIRONMENT = os.environ.get("CALLBILL_ENVIRONMENT", CALLBILL_MODE)[:40]  # told to Stripe
CALLBILL_DATA = Path(os.environ.get("CALLBILL_DATA", "var")).resolve()
CALLBILL_BASE_URL = os.environ.get("CALLBILL_BASE_URL", "http://localhost:8000").rstrip("/")


def _secret_key() -> str:
    """The key from the environment, or one made once and kept in the data folder."""
    if given := os.environ.get("CALLBILL_SECRET_KEY"):
        return given
    path = CALLBILL_DATA / "secret_key"
    if not path.exists():
        CALLBILL_DATA.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f"secret_key.{os.getpid()}")
        scratch.write_text(secrets.token_urlsafe(50))
        scratch.chmod(0o600)
        with suppress(FileExistsError):  # the first of two processes wins; the other reads its key
            os.link(scratch, path)
        scratch.unlink()
    return path.read_text().strip()


def _database(url: str) -> dict[str, object]:
    """A Django database entry from a postgresql:// address; a socket folder may be given as ?host=."""
    parts = urlsplit(url)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    host = query.pop("host", parts.hostname or "")
    options: dict[str, object] = dict(query)
    if CALLBILL_MODE != "test":
        # Each thread that charges has a connection of its own; the rest is for what else the process does.
        options["pool"] = {"min_size": 1, "max_size": 4 + max(CHARGE_WORKERS, 8), "timeout": 20}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "callbill",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
    }


# How a collection run charges: so many a second (0: without a pause), so many customers at a time.
_CALM = CALLBILL_MODE == "test"  # tests and the simulation charge in their own thread, one after another
CHARGES_PER_SECOND = int(os.environ.get("CALLBILL_CHARGES_PER_SECOND", "0" if _CALM else "20"))
CHARGE_WORKERS = int(os.environ.get("CALLBILL_CHARGE_WORKERS", "1" if _CALM else "8"))

SECRET_KEY = _secret_key()
DEBUG = False
ALLOWED_HOSTS = os.environ.get("CALLBILL_HOSTS", "localhost,127.0.0.1,[::1],testserver").split(",")
CSRF_TRUSTED_ORIGINS = [CALLBILL_BASE_URL]

DATABASES = {"default": _database(os.environ.get("DATABASE_URL", "postgresql:///callbill"))}
CACHES = {
    # In the database, so that sign-in rate limits hold over all web processes.
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"}
}

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_htmx",
    "csp",
    "callbill.web.ui",  # before allauth: its pages are ours to draw
    "allauth",
    "allauth.account",
    "procrastinate.contrib.django",
    "callbill.domain.users",
    "callbill.domain.customers",
    "callbill.domain.notifications",
    "callbill.domain.ledger",
    "callbill.domain.contracts",
    "callbill.domain.usage",
    "callbill.domain.invoicing",
    "callbill.domain.disputes",
    "callbill.domain.payments",
    "callbill.domain.reconciliation",
    "callbill.web.portal",
    "callbill.web.console",
    "callbill.jobs",
]

MIDDLEWARE = [
    "callbill.web.ui.behind_proxy.take_the_visitor_from_the_proxy",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",  # deny by default
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "callbill.web.ui.not_allowed.say_that_only_forms_go_here",
]

ROOT_URLCONF = "callbill.config.urls"
WSGI_APPLICATION = "callbill.config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "callbill.web.ui.context.seller_and_viewer",
            ],
        },
    }
]

# --- signing in -------------------------------------------------------------------------------------
AUTH_USER_MODEL = "users.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
if CALLBILL_MODE == "test":  # hundreds of made-up people; production keeps Django's slow hashes
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "callbill.web.ui.accounts.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key"}
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 60 * 60 * 12
_HTTPS = CALLBILL_BASE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
SECURE_SSL_REDIRECT = False  # the proxy in front does that; docs/operations.md
BEHIND_PROXY = _HTTPS  # who asks is read from what it says; web/ui/behind_proxy.py
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if _HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}

# --- the outside ------------------------------------------------------------------------------------
PAYMENT_GATEWAY = "callbill.gateways.stripe.gateway.StripeGateway"
INVOICE_BEING_PAID = "callbill.domain.payments.queries.being_paid"
INVOICE_STAYS_OPEN = "callbill.domain.payments.queries.stays_open"
BOOKED_EVENTS = "callbill.domain.reconciliation.operations.EVENT_HANDLERS"
STRIPE_SECRET_KEY = os.environ.get("STRIPE_SECRET_KEY", "")
STRIPE_PUBLISHABLE_KEY = os.environ.get("STRIPE_PUBLISHABLE_KEY", "")
STRIPE_WEBHOOK_SECRETS = [s for s in os.environ.get("STRIPE_WEBHOOK_SECRET", "").split(",") if s]
STRIPE_API_BASE = os.environ.get("STRIPE_API_BASE", "")  # set: the sandbox, or a proxy; empty: Stripe
STRIPE_JS_URL = os.environ.get("STRIPE_JS_URL", "https://js.stripe.com/endive/stripe.js")

MAIL_DELIVERY = os.environ.get("CALLBILL_MAIL", "mailbox")  # "mailbox" (a folder, with a page) or "smtp"
MAILBOX_DIR = CALLBILL_DATA / "mailbox"
EMAIL_HOST = os.environ.get("SMTP_HOST", "localhost")
EMAIL_PORT = int(os.environ.get("SMTP_PORT", "587"))
EMAIL_HOST_USER = os.environ.get("SMTP_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("SMTP_PASSWORD", "")
EMAIL_USE_TLS = os.environ.get("SMTP_TLS", "1") == "1"
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = os.environ.get("CALLBILL_MAIL_FROM", "billing@localhost")

# --- pages ------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en-us"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = CALLBILL_DATA / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if CALLBILL_MODE == "test"
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = CALLBILL_MODE == "test"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_000_000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200

PROCRASTINATE_IMPORT_PATHS = ["callbill.jobs.tasks", "callbill.jobs.schedule"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("CALLBILL_LOG", "WARNING")},
    "loggers": {
        # The Stripe SDK logs request bodies at DEBUG; nothing of it belongs in our logs.
        "stripe": {"level": "WARNING"},
        "procrastinate": {"level": "WARNING"},
        # Somebody's wrong Host header is answered 400; a traceback for each is noise.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}
