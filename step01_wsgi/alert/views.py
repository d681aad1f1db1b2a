"""Alerts the AJAX way: the page posts them, and polls for new ones."""

from django.contrib.auth.decorators import login_required
from django.http import JsonResponse
from django.views.decorators.http import require_GET, require_POST

from .forms import AfterForm, AlertForm
from .models import Alert

PAGE_SIZE = 100


@require_POST
@login_required
def create(request):
    """Save `content` as an alert by the signed-in user: 201 and its JSON, or 400 and the reason."""
    form = AlertForm(request.POST, instance=Alert(user=request.user))
    if not form.is_valid():
        return bad_request(form)
    return JsonResponse(form.save().as_dict(), status=201)


@require_GET
@login_required
def latest(request):
    """Return the alerts with an id above `after`, oldest first, at most PAGE_SIZE."""
    form = AfterForm({"after": 0} | request.GET.dict())
    if not form.is_valid():
        return bad_request(form)
    alerts = Alert.objects.filter(pk__gt=form.cleaned_data["after"])
    alerts = alerts.select_related("user").order_by("pk")
    return JsonResponse({"alerts": [alert.as_dict() for alert in alerts[:PAGE_SIZE]]})


def bad_request(form):
    """Turn the first error of each field into the message of a 400."""
    message = " ".join(f"{field}: {errors[0]}" for field, errors in form.errors.items())
    return JsonResponse({"message": message}, status=400)
