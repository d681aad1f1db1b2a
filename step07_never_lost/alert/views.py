"""The alerts of a room without a WebSocket: read them, or post one."""

from django.contrib.auth.decorators import login_required
from django.http import JsonResponse
from django.views.decorators.http import require_http_methods

from .forms import AfterForm, AlertForm
from .models import Alert
from .posting import post_alert


@require_http_methods(["GET", "POST"])
@login_required
def room(request, room_id):
    """Let a member of the room read its alerts or post one; anyone else gets 403."""
    room = request.user.rooms_joined.filter(pk=room_id).first()
    if room is None:
        return JsonResponse({"message": "You don't have access to this room."}, status=403)
    return create(request, room) if request.method == "POST" else latest(request, room)


def create(request, room):
    """Post `content` as the signed-in user: 201 and its frame, or 400 and the reason.

    A `client_id` that the user has sent to this room before gets 200 and the frame of that time.
    """
    form = AlertForm(request.POST)
    if not form.is_valid():
        return bad_request(form)
    alert, created = post_alert(room, request.user, **form.cleaned_data)
    return JsonResponse(alert.as_frame(), status=201 if created else 200)


def latest(request, room):
    """Return the alerts with a number above `after`, oldest first, at most PAGE_SIZE."""
    form = AfterForm({"after": 0} | request.GET.dict())
    if not form.is_valid():
        return bad_request(form)
    alerts = Alert.objects.after(room, form.cleaned_data["after"])
    return JsonResponse({"alerts": [alert.as_frame() for alert in alerts]})


def bad_request(form):
    """Turn the first error of each field into the message of a 400."""
    message = " ".join(f"{field}: {errors[0]}" for field, errors in form.errors.items())
    return JsonResponse({"message": message}, status=400)
