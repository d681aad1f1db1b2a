"""The alerts of a room without a WebSocket: to read them, and to post one."""

from django.contrib.auth.decorators import login_required
from django.http import JsonResponse
from django.views.decorators.http import require_http_methods

from .feeds import PAGE_SIZE
from .forms import AfterForm, AlertForm
from .models import Alert
from .posting import post_alert


@require_http_methods(["GET", "POST"])
@login_required
def room(request, room_id):
    """Let a member of the room read its alerts or post one; everybody else gets 403."""
    room = request.user.rooms_joined.filter(pk=room_id).first()
    if room is None:
        return JsonResponse({"message": "You are not in this room."}, status=403)
    return create(request, room) if request.method == "POST" else latest(request, room)


def create(request, room):
    """Save and announce `content`: 201 and its frame, 200 for a `client_id` sent before."""
    form = AlertForm(request.POST)
    if not form.is_valid():
        return bad_request(form)
    alert, created = post_alert(room, request.user, **form.cleaned_data)
    return JsonResponse(alert.as_frame(), status=201 if created else 200)


def latest(request, room):
    """Answer with the alerts after the number `after`, oldest first, at most PAGE_SIZE."""
    form = AfterForm(request.GET)
    if not form.is_valid():
        return bad_request(form)
    after = form.cleaned_data["after"] or 0
    alerts = Alert.objects.filter(room=room, seq__gt=after).select_related("user").order_by("seq")
    return JsonResponse({"alerts": [alert.as_frame() for alert in alerts[:PAGE_SIZE]]})


def bad_request(form):
    """Turn the first error of each field into the message of a 400."""
    message = " ".join(f"{field}: {errors[0]}" for field, errors in form.errors.items())
    return JsonResponse({"message": message}, status=400)
