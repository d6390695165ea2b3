"""How the seller collects: retries after a decline, and what a new card pays by itself."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from callbill.domain.customers import operations, queries
from callbill.domain.customers.queries import Viewer
from callbill.domain.users.queries import staff_actions
from callbill.lib import clock
from callbill.rules.dunning import MOST_AUTOMATIC_ATTEMPTS
from callbill.web.console.door import staff_page
from callbill.web.console.settings_forms import CollectionForm


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page
def settings(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """See and set them; what was typed comes back with every mistake."""
    seller = queries.seller()
    kept = {
        "retry_days": ", ".join(map(str, seller.retry_ladder_days)),
        "pay_on_new_card": seller.pay_on_new_card,
    }
    form = CollectionForm(request.POST if request.method == "POST" else None, initial=kept)
    if request.method == "POST" and form.is_valid():
        operations.set_collection(
            actor_id=viewer.user_id,
            retry_ladder_days=form.cleaned_data["retry_days"],
            pay_on_new_card=form.cleaned_data["pay_on_new_card"],
            reason=form.cleaned_data["reason"],
            now=clock.now(),
        )
        messages.success(request, "Saved. Declines from now on follow it; what is planned stays planned.")
        return redirect("console:settings")
    context = {
        "form": form,
        "most": MOST_AUTOMATIC_ATTEMPTS,
        "log": staff_actions(subject_kind="seller", subject_id=seller.key, limit=20),
    }
    return render(request, "console/settings.html", context, status=422 if form.is_bound else 200)
