"""The alerts of a room without a WebSocket: to read them, and to post one."""

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import JsonResponse
from django.views import View

from .forms import AfterForm, AlertForm
from .models import Alert
from .posting import post_alert

PAGE_SIZE = 100


class RoomAlerts(LoginRequiredMixin, View):
    """The alerts of a room, for its members; everybody else gets 403."""

    def dispatch(self, request, *args, room_id, **kwargs):
        if request.user.is_authenticated:
            self.room = request.user.rooms_joined.filter(pk=room_id).first()
            if self.room is None:
                return JsonResponse({"message": "You are not in this room."}, status=403)
        return super().dispatch(request, *args, **kwargs)

    def get(self, request):
        """Answer with the alerts after the number `after`, oldest first, at most PAGE_SIZE."""
        form = AfterForm(request.GET)
        if not form.is_valid():
            return bad_request(form)
        after = form.cleaned_data["after"] or 0
        alerts = Alert.objects.filter(room=self.room, seq__gt=after).select_related("user")
        page = alerts.order_by("seq")[:PAGE_SIZE]
        return JsonResponse({"alerts": [alert.as_frame() for alert in page]})

    def post(self, request):
        """Save and announce `content`: 201 and its frame; 200 for a `client_id` sent before."""
        form = AlertForm(request.POST)
        if not form.is_valid():
            return bad_request(form)
        alert, created = post_alert(self.room, request.user, **form.cleaned_data)
        return JsonResponse(alert.as_frame(), status=201 if created else 200)


def bad_request(form):
    """Turn the first error of each field into the message of a 400."""
    message = " ".join(f"{field}: {errors[0]}" for field, errors in form.errors.items())
    return JsonResponse({"message": message}, status=400)
